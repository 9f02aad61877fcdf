/** What hostile gate services do, as a table: each row is one gate, and says what one attempt at it must come to. */
import {
  after,
  answer,
  type AnswerOptions,
  drip,
  endless,
  gzipBomb,
  hang,
  headOf,
  raw,
  rawThenEnd,
  rawThenReset,
  redirectTo,
} from '@stella/testkit/hostile/behaviours';
import type { Behaviour } from '@stella/testkit/hostile';

/** Of each gate of the table. */
export const GATE_TIMEOUT_MS = 5_000;
/** Far more than the system keeps in the buffers of a connection. */
const TEN_GB = 10_000_000_000;
const BOMB_BYTES = 256 * 1_048_576;

export const PASSED = '{"verdict":"passed","message":"all well"}';
export const FAILED = '{"verdict":"failed","message":"not well"}';

export interface GateRow {
  readonly what: string;
  readonly behaves: Behaviour;
  /** Code of the attempt; empty when it passed. */
  readonly code:
    | ''
    | 'gate.failed'
    | 'gate.timeout'
    | 'gate.error'
    | 'gate.dns'
    | 'gate.unreachable'
    | 'gate.tls'
    | 'gate.bad_response'
    | 'gate.address_forbidden';
  /** Of the message that people see. */
  readonly says: RegExp;
}

const json = (text: string, options: AnswerOptions = {}): Behaviour =>
  answer(text, { ...options, headers: { 'content-type': 'application/json', ...options.headers } });

/** Repeats the question with a verdict, and with whatever `change` makes of it. */
const repeating =
  (change: Readonly<Record<string, unknown>>): Behaviour =>
  (socket, request) => {
    // The question of our own gate.
    const question = JSON.parse(request.body) as Readonly<Record<string, unknown>>;
    json(JSON.stringify({ ...question, verdict: 'passed', ...change }))(socket, request);
  };

const OTHER_DIGEST = `sha256:${'0'.repeat(64)}`;
const OTHER_RELEASE = { name: 'shop-1', components: [{ name: 'web', digest: OTHER_DIGEST }] };
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
const TOO_LARGE = /^the answer is larger than 65536 bytes$/;
const NOT_JSON = /^the answer is no verdict: it is not valid JSON$/;

export const ODD_BUT_RIGHT: readonly GateRow[] = [
  { what: 'in HTTP/1.0, ended by the connection', behaves: rawThenEnd(`HTTP/1.0 200 OK\r\n\r\n${PASSED}`) },
  {
    what: 'in chunks of one byte',
    behaves: raw(
      `${chunked}${PASSED.split('')
        .map((c) => `1\r\n${c}\r\n`)
        .join('')}0\r\n\r\n`,
    ),
  },
  {
    what: 'after hints (status 103)',
    behaves: raw(`HTTP/1.1 103 Early Hints\r\n\r\n${headOf(PASSED.length)}${PASSED}`),
  },
  { what: 'that repeats its question', behaves: repeating({}) },
  { what: 'with an unknown member', behaves: json('{"verdict":"passed","build":{"number":7}}') },
  { what: 'with rubbish behind its length', behaves: raw(`${headOf(PASSED.length)}${PASSED}rubbish`) },
  {
    what: 'with U+0000 and half a pair in its message',
    behaves: json('{"verdict":"passed","message":"a\\u0000b\\ud83dc"}'),
  },
  {
    what: 'whose long message is cut within a pair',
    behaves: json(JSON.stringify({ verdict: 'passed', message: `x${'\u{1f600}'.repeat(2_000)}` })),
  },
].map((row) => ({ ...row, code: '', says: /./ }) as const);

const NO_WHOLE_ANSWER: readonly GateRow[] = [
  { what: 'nothing', behaves: hang, code: 'gate.timeout', says: /^no answer within 5000 ms$/ },
  { what: 'a head and no body', behaves: raw(headOf(100)), code: 'gate.timeout', says: /^no answer within/ },
  {
    what: 'half a head',
    behaves: raw('HTTP/1.1 200 OK\r\ncontent-le'),
    code: 'gate.timeout',
    says: /^no answer within/,
  },
  {
    what: 'a byte of the head each second',
    behaves: drip(headOf(100), 1_000),
    code: 'gate.timeout',
    says: /^no answer within/,
  },
  {
    what: 'a byte of the body each second',
    behaves: (socket, request) => {
      socket.write(headOf(10_000));
      drip(' ', 1_000)(socket, request);
    },
    code: 'gate.timeout',
    says: /^no answer within/,
  },
  {
    what: 'its verdict when it is too late',
    behaves: after(GATE_TIMEOUT_MS + 1_500, json(PASSED)),
    code: 'gate.timeout',
    says: /^no answer within/,
  },
  { what: 'the end of the connection', behaves: rawThenEnd(''), code: 'gate.error', says: /^reset: / },
  { what: 'a reset', behaves: rawThenReset('HTTP/1.1 200 OK\r\n'), code: 'gate.error', says: /^reset: / },
  {
    what: 'a reset in the body',
    behaves: rawThenReset(`${headOf(PASSED.length)}{"verdict"`),
    code: 'gate.error',
    says: /^reset: /,
  },
  {
    what: 'less than its length, and the end',
    behaves: rawThenEnd(`${headOf(500)}${PASSED}`),
    code: 'gate.error',
    says: /^reset: /,
  },
  {
    what: 'less than its length, and nothing',
    behaves: raw(`${headOf(500)}${PASSED}`),
    code: 'gate.timeout',
    says: /^no answer within/,
  },
  {
    what: 'hints (status 103) without end',
    behaves: endless('', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'),
    code: 'gate.error',
    says: /more than 100 answers of status 1xx/,
  },
];

const NO_HTTP: readonly GateRow[] = [
  { what: 'a verdict without a head', behaves: rawThenEnd(PASSED), says: /^protocol: / },
  { what: 'a banner of SSH', behaves: raw('SSH-2.0-OpenSSH_9.2\r\n'), says: /^protocol: / },
  {
    what: 'two lengths',
    behaves: raw(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\n${headOf(PASSED.length).slice(17)}${PASSED}`),
    says: /^protocol: /,
  },
  { what: 'a negative length', behaves: raw(`${headOf(-1)}${PASSED}`), says: /^protocol: / },
  {
    what: 'a length and chunks',
    behaves: raw(`${headOf(PASSED.length, { headers: { 'transfer-encoding': 'chunked' } })}${PASSED}`),
    says: /^protocol: /,
  },
  { what: 'a chunk that has no size', behaves: raw(`${chunked}zz\r\n${PASSED}`), says: /^protocol: / },
  {
    what: 'another protocol',
    behaves: raw('HTTP/1.1 101 Switching Protocols\r\nupgrade: ws\r\nconnection: upgrade\r\n\r\n'),
    says: /^(reset|protocol): /,
  },
  { what: 'status 500', behaves: json(PASSED, { status: 500 }), says: /^status 500 instead of 200$/ },
  { what: 'status 429', behaves: json(PASSED, { status: 429 }), says: /^status 429 instead of 200$/ },
].map((row) => ({ ...row, code: 'gate.error' }) as const);

const TOO_MUCH: readonly GateRow[] = [
  { what: 'ten gigabytes', behaves: endless(headOf(TEN_GB), ' '.repeat(65_536)), says: TOO_LARGE },
  { what: 'chunks without end', behaves: endless(chunked, `8000\r\n${' '.repeat(0x8000)}\r\n`), says: TOO_LARGE },
  { what: 'a header without end', behaves: endless('HTTP/1.1 200 OK\r\nx: ', 'x'.repeat(8_192)), says: /header/i },
  { what: 'headers without end', behaves: endless('HTTP/1.1 200 OK\r\n', 'x-y: z\r\n'.repeat(500)), says: /header/i },
  {
    what: 'a small verdict that is compressed',
    behaves: json(PASSED, { headers: { 'content-encoding': 'gzip' } }),
    says: /^the answer is encoded as "gzip", which was not asked for$/,
  },
  {
    what: 'a compressed bomb',
    behaves: answer(gzipBomb(BOMB_BYTES), { headers: { 'content-encoding': 'gzip' } }),
    says: /encoded as "gzip"|larger than/,
  },
  { what: 'a bomb that is not called one', behaves: answer(gzipBomb(1_048_576)), says: /it is not UTF-8 text/ },
].map((row) => ({ ...row, code: 'gate.bad_response' }) as const);

const NO_VERDICT: readonly GateRow[] = [
  { what: 'no JSON', behaves: json('{"verdict":"passed"'), says: NOT_JSON },
  { what: 'JSON and more', behaves: json(`${PASSED}${FAILED}`), says: NOT_JSON },
  { what: 'a page', behaves: answer('<h1>OK</h1>', { headers: { 'content-type': 'text/html' } }), says: NOT_JSON },
  { what: 'an empty body', behaves: json(''), says: NOT_JSON },
  { what: 'bytes that are no UTF-8', behaves: answer(Buffer.from([0x7b, 0xff, 0x7d])), says: /it is not UTF-8 text/ },
  { what: 'a byte order mark', behaves: json(`\ufeff${PASSED}`), says: NOT_JSON },
  { what: 'a list', behaves: json(`[${PASSED}]`), says: /it is not a JSON object/ },
  { what: 'null', behaves: json('null'), says: /it is not a JSON object/ },
  { what: 'a text', behaves: json('"passed"'), says: /it is not a JSON object/ },
  { what: 'true', behaves: json('{"verdict":true}'), says: /no "verdict" of "passed" or "failed"/ },
  {
    what: 'a verdict of another word',
    behaves: json('{"verdict":"PASSED"}'),
    says: /no "verdict" of "passed" or "failed"/,
  },
  {
    what: 'a verdict further down',
    behaves: json(`{"result":${PASSED}}`),
    says: /no "verdict" of "passed" or "failed"/,
  },
  {
    what: 'a verdict by inheritance',
    behaves: json(`{"__proto__":${PASSED}}`),
    says: /no "verdict" of "passed" or "failed"/,
  },
  { what: 'two verdicts', behaves: json('{"verdict":"failed","verdict":"passed"}'), says: /has the same key twice/ },
  {
    what: 'two verdicts, one in escapes',
    behaves: json('{"verdict":"failed","verdic\\u0074":"passed"}'),
    says: /has the same key twice/,
  },
  {
    what: 'nesting of 33 levels',
    behaves: json(`{"verdict":"passed","a":${nested(32)}}`),
    says: /nested deeper than 32 levels/,
  },
  {
    what: 'nesting as deep as it fits',
    behaves: json(`{"verdict":"passed","a":${'['.repeat(60_000)}`),
    says: /nested deeper than 32 levels/,
  },
  {
    what: 'a number larger than any',
    behaves: json('{"verdict":"passed","n":1e999}'),
    says: /it has a number that is too large/,
  },
  { what: 'status 201', behaves: json(PASSED, { status: 201 }), says: /^status 201 instead of 200$/ },
  { what: 'status 206', behaves: json(PASSED, { status: 206 }), says: /^status 206 instead of 200$/ },
  { what: 'status 999', behaves: json(PASSED, { status: 999 }), says: /^status 999 instead of 200$/ },
].map((row) => ({ ...row, code: 'gate.bad_response' }) as const);

const OTHER_MEMBERS: Readonly<Record<string, unknown>> = {
  promotionId: 'prm_01hzzzzzzzzzzzzzzzzzzzzzzz',
  gateRunId: null,
  operationId: 'another',
  gate: 'another',
  environment: 'prod',
  attempt: 2,
  release: OTHER_RELEASE,
};
const ANOTHER_QUESTION: readonly GateRow[] = Object.entries(OTHER_MEMBERS).map(([name, value]) => ({
  what: `a verdict for another ${name}`,
  behaves: repeating({ [name]: value }),
  code: 'gate.bad_response',
  says: new RegExp(`its "${name}" is not that of the question`),
}));

/** Rows of what is not followed, to a server that must never be asked. */
export function redirectRows(forbiddenPort: string): readonly GateRow[] {
  return [
    ...REDIRECTS.map((location) => redirectRow(location, 302, redirectTo(location.replace('PORT', forbiddenPort)))),
    ...[300, 301, 302, 303, 307, 308].map((status) =>
      redirectRow('itself', status, (socket, request) => redirectTo(request.path, status)(socket, request)),
    ),
  ];
}

/** `PORT` is one that would answer. */
const REDIRECTS = [
  'http://169.254.169.254/',
  'http://[::1]:PORT/',
  'http://localhost:PORT/',
  'http://127.0.0.1:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://2130706433:PORT/',
  'http://0x7f.1:PORT/',
  'http://elsewhere.invalid/',
  '//169.254.169.254/',
  'file:///etc/passwd',
  'data:application/json,{}',
  'http://[',
  '',
];

function redirectRow(to: string, status: number, behaves: Behaviour): GateRow {
  const says = new RegExp(`^status ${status}: redirects are not followed$`);
  return { what: `a redirect (${status}) to "${to}"`, behaves, code: 'gate.bad_response', says };
}

/** Rows that end without a verdict. */
export const HOSTILE_ANSWERS: readonly GateRow[] = [
  ...NO_WHOLE_ANSWER,
  ...NO_HTTP,
  ...TOO_MUCH,
  ...NO_VERDICT,
  ...ANOTHER_QUESTION,
];
