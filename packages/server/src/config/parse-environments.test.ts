import { AppError, definitionHash, type ErrorCode } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { parseEnvironmentDocuments } from './parse-environments.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const parse = (text: string) => parseEnvironmentDocuments(text, 'shop.yaml');
const parseOne = (text: string) => parse(text)[0]?.definition;

function errorOf(text: string): AppError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
}

/** The first mistake, as it is compared. */
function refusalOf(text: string): object {
  const { code, message, details } = errorOf(text);
  return { code, line: details['line'], message };
}

const refusal = (line: number, words: string, code: ErrorCode = 'input.yaml'): object => ({
  code,
  line,
  message: expect.stringContaining(words) as string,
});

const TARGETS = 'targets: [{ name: w, kind: files, component: w, directory: /srv/w }]';
const BARE = ['kind: Environment', 'name: prod', TARGETS];
/** A document of three lines, and the given ones from line 4 on. */
const withLines = (...lines: readonly string[]): string => [...BARE, ...lines].join('\n');
/** The entry starts in line 5. */
const withGate = (...lines: readonly string[]): string =>
  withLines('gates:', ...lines.map((line, index) => `${index === 0 ? '  - ' : '    '}${line}`));
const withTarget = (...lines: readonly string[]): string =>
  [
    'kind: Environment',
    'name: prod',
    'targets:',
    ...lines.map((line, index) => `${index === 0 ? '  - ' : '    '}${line}`),
  ].join('\n');

const WHOLE = `
# who may enter production
kind: Environment
name: prod
promotesFrom: [staging, canary]
onFailure: hold
precheck: warn
queue: latest
concurrency: per_component
deployDeadline: 20m
gates:
  - name: tests
    kind: http
    url: http://127.0.0.1:9000/tests
    headers:
      X-Team: shop
    timeout: 30s
    retries: 4
    backoff: 500ms
    validFor: 12h
  - name: board
    kind: approval
    count: 2
    group: [ana, ben@example.org]
    deadline: 2d
  - name: soak
    kind: soak
    duration: 1h30m
    environments: [staging]
    deadline: 3h
targets:
  - name: web
    kind: files
    component: web
    directory: /srv/shop
    keep: 5
    health:
      url: http://127.0.0.1:8080/health
      expectStatus: 204
      timeout: 2s
      interval: 250ms
      threshold: 3
      deadline: 30s
`;

describe('a whole document', () => {
  it('maps every key', () => {
    expect(parse(WHOLE)).toEqual([
      {
        file: 'shop.yaml',
        line: 3,
        definition: {
          name: 'prod',
          promotesFrom: ['staging', 'canary'],
          onFailure: 'hold',
          precheck: 'warn',
          queue: 'latest',
          freezes: [],
          concurrency: 'per_component',
          deployDeadlineMs: 20 * MINUTE_MS,
          gates: [
            {
              name: 'tests',
              kind: 'http',
              url: 'http://127.0.0.1:9000/tests',
              headers: { 'X-Team': 'shop' },
              timeoutMs: 30_000,
              retryCount: 4,
              backoffMs: 500,
              validForMs: 12 * HOUR_MS,
            },
            {
              name: 'board',
              kind: 'approval',
              count: 2,
              group: ['ana', 'ben@example.org'],
              deadlineMs: 48 * HOUR_MS,
              validForMs: 24 * HOUR_MS,
            },
            {
              name: 'soak',
              kind: 'soak',
              durationMs: 90 * MINUTE_MS,
              environments: ['staging'],
              deadlineMs: 3 * HOUR_MS,
              validForMs: 24 * HOUR_MS,
            },
          ],
          targets: [
            {
              name: 'web',
              kind: 'files',
              component: 'web',
              directory: '/srv/shop',
              keepCount: 5,
              health: {
                url: 'http://127.0.0.1:8080/health',
                expectStatus: 204,
                timeoutMs: 2_000,
                intervalMs: 250,
                threshold: 3,
                deadlineMs: 30_000,
              },
            },
          ],
        },
      },
    ]);
  });

  it('fills in the documented defaults', () => {
    const gates = [
      '- { name: tests, kind: http, url: "http://gate/" }',
      '- { name: board, kind: approval }',
      '- { name: soak, kind: soak, duration: 2h }',
    ];
    const text = [
      'kind: Environment',
      'name: prod',
      'promotesFrom: [dev, staging]',
      'gates:',
      ...gates,
      'targets: [{ name: web, kind: files, component: web, directory: /srv/shop, health: { url: "http://h/" } }]',
    ].join('\n');
    const common = { validForMs: 24 * HOUR_MS };
    expect(parseOne(text)).toEqual({
      name: 'prod',
      promotesFrom: ['dev', 'staging'],
      onFailure: 'rollback',
      precheck: 'required',
      queue: 'fifo',
      freezes: [],
      concurrency: 'exclusive',
      deployDeadlineMs: 15 * MINUTE_MS,
      gates: [
        {
          ...common,
          name: 'tests',
          kind: 'http',
          url: 'http://gate/',
          headers: {},
          timeoutMs: 2 * MINUTE_MS,
          retryCount: 2,
          backoffMs: 10_000,
        },
        { ...common, name: 'board', kind: 'approval', count: 1, group: null, deadlineMs: 24 * HOUR_MS },
        {
          ...common,
          name: 'soak',
          kind: 'soak',
          durationMs: 2 * HOUR_MS,
          environments: ['dev', 'staging'],
          deadlineMs: 26 * HOUR_MS,
        },
      ],
      targets: [
        {
          kind: 'files',
          name: 'web',
          component: 'web',
          directory: '/srv/shop',
          keepCount: 3,
          health: {
            url: 'http://h/',
            expectStatus: 200,
            timeoutMs: 5_000,
            intervalMs: 1_000,
            threshold: 2,
            deadlineMs: MINUTE_MS,
          },
        },
      ],
    });
  });

  it('takes several documents, each with its line, and leaves empty ones out', () => {
    const text = `---\n${BARE.join('\n')}\n---\n# nothing\n---\nkind: Environment\nname: dev\n${TARGETS}\n---\n`;
    expect(parse(text).map(({ definition, line }) => [definition.name, line])).toEqual([
      ['prod', 2],
      ['dev', 8],
    ]);
  });

  it('takes JSON, Windows line ends, a byte order mark and anchors', () => {
    expect(
      parseOne(
        JSON.stringify({
          kind: 'Environment',
          name: 'prod',
          targets: [{ name: 'w', kind: 'files', component: 'w', directory: '/w' }],
        }),
      )?.name,
    ).toBe('prod');
    expect(parseOne(`\uFEFF${BARE.join('\r\n')}\r\n`)?.name).toBe('prod');
    const text = withLines(
      'promotesFrom: &from [dev]',
      'gates:',
      '  - {name: s, kind: soak, duration: 1h, environments: *from}',
    );
    expect(parseOne(text)?.gates[0]).toMatchObject({ environments: ['dev'] });
  });

  it('takes an alias for the nearest anchor before it', () => {
    const text = withLines(
      'promotesFrom: [&a dev, &a staging]',
      'gates:',
      '  - {name: s, kind: soak, duration: 1h, environments: [*a]}',
    );
    expect(parseOne(text)?.gates[0]).toMatchObject({ environments: ['staging'] });
  });
});

describe('the hash of a definition', () => {
  it('is what it was when there were only files and HTTP, so that no environment changes with the program', () => {
    const definition = parseOne(
      [
        'kind: Environment',
        'name: prod',
        'targets:',
        '  - { name: a, kind: files, component: web, directory: /srv/a }',
        '  - { name: b, kind: files, component: web, directory: /srv/b, keep: 5,',
        '      health: { url: "http://10.0.0.1/x", expectStatus: 204 } }',
        'gates:',
        '  - { name: q, kind: http, url: "http://10.0.0.2/q" }',
        '  - { name: ok, kind: approval }',
        'strategy: { kind: rolling, maxUnavailable: 2 }',
      ].join('\n'),
    );
    expect(definition && definitionHash(definition)).toBe(
      'sha256:ecd5e79570bc09324bc4fa8c86ee500c078600de9e5e431fccb7f1831b2ecf5c',
    );
  });
});

describe('unknown keys', () => {
  it('names the nearest known key and the place', () => {
    const error = errorOf(withGate('name: tests', 'kind: http', 'url: http://gate/', 'timout: 5s'));
    expect(error.code).toBe('input.unknown_key');
    expect(error.details).toMatchObject({ key: 'timout', where: 'shop.yaml:8:5', nearest: 'timeout', line: 8 });
    expect(error.message).toBe('unknown key "timout" at shop.yaml:8:5');
    expect(error.hint).toBe('did you mean "timeout"?');
  });

  it.each([
    ['of a document', withLines('promoteFrom: []'), 'promotesFrom', 4],
    ['of a target', withTarget('name: web', 'kind: files', 'componnet: web', 'directory: /srv/a'), 'component', 6],
    [
      'of a health check',
      withTarget('{ name: w, kind: files, component: w, directory: /a, health: { ulr: x } }'),
      'url',
      4,
    ],
    ['in another case', withLines('onfailure: hold'), 'onFailure', 4],
  ])('%s', (_name, text, nearest, line) => {
    expect(errorOf(text).details).toMatchObject({ nearest, line });
  });

  it('lists the known keys when none is near', () => {
    const error = errorOf(withLines('schedule: daily'));
    expect(error.details['nearest']).toBeNull();
    expect(error.hint).toMatch(/^known here: kind, name, promotesFrom, /);
  });

  it('says which kind of gate has the key', () => {
    const error = errorOf(withGate('name: board', 'kind: approval', 'retries: 2'));
    expect(error.hint).toBe('gates of kind http have it, this one is of kind approval');
  });

  it('takes no merge key', () => {
    expect(refusalOf(withLines('x: &x {precheck: warn}', '<<: *x'))).toEqual(refusal(4, '"x"', 'input.unknown_key'));
  });
});

describe('refuses', () => {
  it.each([
    ['another kind', 'kind: Enviroment\nname: a\ntargets: []', 1, 'did you mean "Environment"?'],
    ['no kind', 'name: a\ntargets: []', 1, 'the key "kind" is missing'],
    ['no name', 'kind: Environment\ntargets: []', 1, 'the key "name" is missing'],
    ['no targets', 'kind: Environment\nname: a', 1, 'the key "targets" is missing'],
    ['an empty list of targets', 'kind: Environment\nname: a\ntargets: []', 3, 'expected at least one entry'],
    ['a bad name', 'kind: Environment\nname: Prod\ntargets: []', 2, '"Prod" is not a name'],
    ['a name that looks like a flag', 'kind: Environment\nname: -rf\ntargets: []', 2, '"-rf" is not a name'],
    ['a name of 64 characters', `kind: Environment\nname: ${'a'.repeat(64)}\ntargets: []`, 2, 'is not a name'],
    ['a number as name', 'kind: Environment\nname: 12\ntargets: []', 2, 'not the number 12; write it in quotes'],
    ['an empty value', withLines('gates:'), 4, 'the key "gates" has no value'],
    ['an empty value in a list', withLines('promotesFrom:', '  - dev', '  -'), 6, 'not an empty value'],
    ['a list where a mapping belongs', '- kind: Environment', 1, 'expected a document as a mapping, not a list'],
    [
      'a text where a mapping belongs',
      'Environment',
      1,
      'expected a document as a mapping, not the text "Environment"',
    ],
    ['a mapping where a list belongs', withLines('gates:', '  name: x'), 5, 'gates: expected a list, not a mapping'],
    ['a text where a list belongs', withLines('promotesFrom: dev'), 4, 'expected a list, not the text "dev"'],
    ['a text as gate', withLines('gates: [tests]'), 4, 'expected an entry of gates as a mapping'],
    ['a key twice', withLines('name: dev'), 4, 'the key "name" is given twice, first in line 2'],
    ['a key that is no name', withLines('[a]: 1'), 4, 'expected a name as key, not a list'],
    ['an environment twice', `${BARE.join('\n')}\n---\n${BARE.join('\n')}`, 6, 'defined twice, first in line 1'],
    ['a predecessor twice', withLines('promotesFrom: [dev, dev]'), 4, '"dev" is listed twice'],
    ['itself as predecessor', withLines('promotesFrom: [prod]'), 4, 'cannot promote from itself'],
    ['an unknown onFailure', withLines('onFailure: rolback'), 4, 'did you mean "rollback"?'],
    ['a duration without unit', withLines('deployDeadline: 90'), 4, 'not the number 90'],
    ['a duration of nonsense', withLines('deployDeadline: soon'), 4, 'expected a duration such as 90s'],
    ['too long a duration', withLines('deployDeadline: 5h'), 4, '5h is outside of 1s to 4h'],
    ['an unknown anchor', withLines('gates: *gates'), 4, 'no anchor "&gates" stands before this alias'],
    ['an alias to an outer node', '&a\nkind: Environment\nname: a\ntargets: *a', 2, 'targets: expected a list'],
    ['an unknown concurrency', withLines('concurrency: per-component'), 4, 'did you mean "per_component"?'],
    ['an unknown queue', withLines('queue: lates'), 4, 'did you mean "latest"?'],
    ['an unknown tag', withLines('onFailure: !secret hold'), 4, 'Unresolved tag'],
    ['text that is no YAML', withLines('gates: [', 'x'), 5, ''],
    ['tabs as indentation', withLines('gates:', '\t- name: x'), 5, ''],
    ['nothing', '', 1, 'there is no document'],
    ['comments only', '# nothing yet\n', 1, 'there is no document'],
  ])('%s', (_name, text, line, words) => {
    expect(refusalOf(text)).toEqual(refusal(line, words));
  });

  it.each([
    ['no kind', ['name: x'], 5, 'the key "kind" is missing'],
    [
      'an unknown kind',
      ['name: x', 'kind: htpt'],
      6,
      'expected http or command or approval or soak or window or dependency, not "htpt"; did you mean "http"?',
    ],
    ['no url', ['name: x', 'kind: http'], 5, 'the key "url" is missing'],
    ['a relative URL', ['name: x', 'kind: http', 'url: /x'], 7, 'is not a URL'],
    ['another scheme', ['name: x', 'kind: http', 'url: file:///etc/passwd'], 7, 'expected an http or https URL'],
    ['a password', ['name: x', 'kind: http', 'url: http://a:b@c/'], 7, 'the URL holds a user or password'],
    ['blanks in a URL', ['name: x', 'kind: http', 'url: "http://a/b c"'], 7, 'the URL holds blanks'],
    ['a fragment', ['name: x', 'kind: http', 'url: "http://a/#b"'], 7, 'has a fragment'],
    [
      'a secret header',
      ['name: x', 'kind: http', 'url: http://a', 'headers: {Authorization: x}'],
      8,
      'none may hold a secret',
    ],
    ['an own header', ['name: x', 'kind: http', 'url: http://a', 'headers: {Host: x}'], 8, 'set by the orchestrator'],
    [
      'a header twice',
      ['name: x', 'kind: http', 'url: http://a', 'headers: {X-A: x, x-a: y}'],
      8,
      '"x-a" is given twice',
    ],
    [
      'a header with a line break',
      ['name: x', 'kind: http', 'url: http://a', 'headers: {X-A: "x\\r\\ny: z"}'],
      8,
      'printable ASCII',
    ],
    ['a number as header', ['name: x', 'kind: http', 'url: http://a', 'headers: {X-A: 1}'], 8, 'write it in quotes'],
    ['half a retry', ['name: x', 'kind: http', 'url: http://a', 'retries: 1.5'], 8, 'from 0 to 10, not the number 1.5'],
    ['too many retries', ['name: x', 'kind: http', 'url: http://a', 'retries: 11'], 8, 'not the number 11'],
    ['no secret', ['name: x', 'kind: http', 'url: http://a', 'mode: callback'], 5, 'the key "secret" is missing'],
    [
      'a secret that is written',
      ['name: x', 'kind: http', 'url: http://a', 'mode: callback', 'secret: hunter2'],
      9,
      'secret: a secret is named, not written: env:STELLA_SECRET_NAME, or file:/absolute/path',
    ],
    [
      'a secret of something else',
      ['name: x', 'kind: http', 'url: http://a', 'mode: callback', 'secret: env:HOME'],
      9,
      'a secret is named',
    ],
    [
      'a secret for nothing',
      ['name: x', 'kind: http', 'url: http://a', 'secret: env:STELLA_SECRET_X'],
      8,
      'only a gate with "mode: callback" signs',
    ],
    ['an unknown mode', ['name: x', 'kind: http', 'url: http://a', 'mode: calback'], 8, 'did you mean "callback"?'],
    ['no program', ['name: x', 'kind: command'], 5, 'the key "program" is missing'],
    ['a relative program', ['name: x', 'kind: command', 'program: check'], 7, 'is not an absolute path'],
    ['a program with ..', ['name: x', 'kind: command', 'program: /a/../b'], 7, 'write the path in its shortest form'],
    ['no approvals', ['name: x', 'kind: approval', 'count: 0'], 7, 'from 1 to 20'],
    [
      'a group that is too small',
      ['name: x', 'kind: approval', 'count: 2', 'group: [ana]'],
      8,
      'can never give 2 approvals',
    ],
    ['a strange person', ['name: x', 'kind: approval', 'group: ["a b"]'], 7, "is not a person's subject"],
    [
      'a soak without predecessor',
      ['name: x', 'kind: soak', 'duration: 1h'],
      5,
      'needs an environment in promotesFrom',
    ],
    [
      'a soak elsewhere',
      ['name: x', 'kind: soak', 'duration: 1h', 'environments: [qa]'],
      8,
      '"qa" is not among promotesFrom',
    ],
  ])('a gate with %s', (_name, lines, line, words) => {
    expect(refusalOf(withGate(...lines))).toEqual(refusal(line, words));
  });

  it('a soak that ends after its deadline', () => {
    const text = withLines('promotesFrom: [dev]', 'gates: [{name: s, kind: soak, duration: 2h, deadline: 1h}]');
    expect(refusalOf(text)).toEqual(refusal(5, 'the soak lasts longer'));
  });

  it('two gates of one name', () => {
    expect(refusalOf(withLines('gates:', '- {name: a, kind: approval}', '- {name: a, kind: approval}'))).toEqual(
      refusal(6, 'another gate'),
    );
  });

  it.each([
    ['a relative directory', ['name: w', 'kind: files', 'component: w', 'directory: srv'], 7, 'not an absolute path'],
    ['a climbing directory', ['name: w', 'kind: files', 'component: w', 'directory: /srv/../etc'], 7, '"/etc"'],
    ['a doubled slash', ['name: w', 'kind: files', 'component: w', 'directory: /srv//a'], 7, '"/srv/a"'],
    ['the root directory', ['name: w', 'kind: files', 'component: w', 'directory: //'], 7, 'root directory'],
    ['a NUL', ['name: w', 'kind: files', 'component: w', 'directory: "/srv\\0"'], 7, 'control characters'],
    ['keep 0', ['name: w', 'kind: files', 'component: w', 'directory: /s', 'keep: 0'], 8, 'from 1 to 50'],
    [
      'another kind',
      ['name: w', 'kind: nomad', 'component: w', 'directory: /s'],
      5,
      'expected files or command or docker or compose, not "nomad"',
    ],
    [
      'a health check without URL',
      ['name: w', 'kind: files', 'component: w', 'directory: /s', 'health: {}'],
      8,
      '"url"',
    ],
    [
      'a status of 99',
      ['name: w', 'kind: files', 'component: w', 'directory: /s', 'health: {url: "http://a", expectStatus: 99}'],
      8,
      '100 to 599',
    ],
    [
      'a health check of another kind',
      ['name: w', 'kind: files', 'component: w', 'directory: /s', 'health: {kind: ping, url: "http://a"}'],
      8,
      'expected http or tcp',
    ],
    [
      'a port outside of what ports are',
      ['name: w', 'kind: files', 'component: w', 'directory: /s', 'health: {kind: tcp, address: db, port: 65536}'],
      8,
      '1 to 65535',
    ],
    [
      'an address with its port',
      ['name: w', 'kind: files', 'component: w', 'directory: /s', 'health: {kind: tcp, address: "db:5432", port: 1}'],
      8,
      'not the name of a host',
    ],
    [
      'a connection that ends too early',
      [
        'name: w',
        'kind: files',
        'component: w',
        'directory: /s',
        'health: {kind: tcp, address: db, port: 1, interval: 5s, threshold: 3, deadline: 10s}',
      ],
      8,
      'over before threshold',
    ],
    [
      'a health check that ends too early',
      [
        'name: w',
        'kind: files',
        'component: w',
        'directory: /s',
        'health: {url: "http://a", interval: 5s, threshold: 3, deadline: 10s}',
      ],
      8,
      'over before threshold',
    ],
  ])('a target with %s', (_name, lines, line, words) => {
    expect(refusalOf(withTarget(...lines))).toEqual(refusal(line, words));
  });

  it.each([
    ['the same', '/srv/a', '/srv/a'],
    ['an inner', '/srv/a', '/srv/a/b'],
    ['an outer', '/srv/a/b', '/srv/a'],
  ])('two targets in %s directory', (_name, first, second) => {
    const text = [
      'kind: Environment',
      'name: prod',
      'targets:',
      `- {name: a, kind: files, component: a, directory: ${first}}`,
      `- {name: b, kind: files, component: a, directory: ${second}}`,
    ].join('\n');
    expect(refusalOf(text)).toEqual(refusal(5, 'overlaps that of target "a"'));
  });

  it('takes a slash at the end of a directory away', () => {
    const text = withTarget('{name: a, kind: files, component: a, directory: /srv/a/}');
    expect(parseOne(text)?.targets[0]).toMatchObject({ directory: '/srv/a' });
  });

  it('takes neighbours whose names start alike', () => {
    const text = withTarget('{name: a, kind: files, component: a, directory: /srv/a}').concat(
      '\n  - {name: b, kind: files, component: a, directory: /srv/ab}',
    );
    expect(parseOne(text)?.targets).toHaveLength(2);
  });
});

describe('several mistakes', () => {
  it('throws the first by line and keeps the others', () => {
    const text = withLines('onFailur: hold', 'deployDeadline: soon', 'precheck: maybe');
    const error = errorOf(text);
    expect(error.code).toBe('input.unknown_key');
    expect(error.details['otherCount']).toBe(2);
    expect(error.details['others']).toEqual([
      expect.stringMatching(/^shop\.yaml:5:17: deployDeadline: expected a duration/),
      expect.stringMatching(/^shop\.yaml:6:11: precheck: expected required or warn/),
    ]);
  });

  it('names at most 50 others', () => {
    const lines = Array.from({ length: 80 }, (_, index) => `key-${index}: 1`);
    const error = errorOf(withLines(...lines));
    expect(error.details['others']).toHaveLength(50);
    expect(error.details['otherCount']).toBe(79);
  });

  it('does not follow one mistake with a second about the same value', () => {
    expect(errorOf(`kind: Environment\nname: Prod\npromotesFrom: [Dev]\n${TARGETS}`).details['otherCount']).toBe(1);
    expect(errorOf(withLines('gates: *nothing')).details['otherCount']).toBeUndefined();
  });
});
