/** Plants a breach of each rule into a tree in memory; beside each stands the same code as it should be. */
import { describe, expect, it } from 'vitest';
import { treeOf } from '../code/source-tree.ts';
import { readWorkspace } from './rule.ts';
import { RULES } from './rules.ts';

type Files = Readonly<Record<string, string>>;

/** Places of the findings of one rule, as `path:line`. */
function placesOf(name: string, files: Files): readonly string[] {
  const rule = RULES.find((candidate) => candidate.name === name);
  if (rule === undefined) throw new Error(`no rule "${name}"`);
  return rule.check(readWorkspace(treeOf(files))).map((finding) => `${finding.path}:${finding.line}`);
}

interface RuleCase {
  readonly rule: string;
  readonly breach: string;
  readonly files: Files;
  /** Where the rule must find it. */
  readonly at: readonly string[];
  /** The same, as the rule wants it. */
  readonly mended: Files;
}

const P = 'packages/domain/src/planted.ts';
const T = 'packages/domain/src/planted.test.ts';
const STORE = 'packages/server/src/store/planted.ts';
const lines = (count: number, text: string): string => `${text}\n`.repeat(count);

const CASES: readonly RuleCase[] = [
  {
    rule: 'file-names',
    breach: 'a file in camel case',
    files: { 'packages/domain/src/plantedFile.ts': '' },
    at: ['packages/domain/src/plantedFile.ts:1'],
    mended: { 'packages/domain/src/planted-file.ts': '' },
  },
  {
    rule: 'file-names',
    breach: 'folders and files with empty words',
    files: { 'packages/domain/src/utils/lock-manager.ts': '' },
    at: ['packages/domain/src/utils/lock-manager.ts:1', 'packages/domain/src/utils/lock-manager.ts:1'],
    mended: { 'packages/cli/src/commands/service/restart.ts': '', 'examples/shop/gate-service.ts': '' },
  },
  {
    rule: 'file-names',
    breach: 'a type with an empty word',
    files: { [P]: 'export interface Lock {}\nexport class LockManager {}\n' },
    at: [`${P}:2`],
    mended: { [P]: 'export interface Lock {}\nexport class LockQueue {}\n' },
  },
  {
    rule: 'file-comments',
    breach: 'a file that does not say what it owns',
    files: { [P]: lines(40, 'export const a = 1;') },
    at: [`${P}:1`],
    mended: { [P]: `/** Owns a. */\n${lines(40, 'export const a = 1;')}` },
  },
  {
    rule: 'sizes',
    breach: 'a file of 601 lines',
    files: { [P]: lines(601, '//') },
    at: [`${P}:1`],
    mended: { [P]: lines(600, '//') },
  },
  {
    rule: 'sizes',
    breach: 'a function of 71 lines',
    files: { [P]: `export function f(): void {\n${lines(69, '  //')}}\n` },
    at: [`${P}:1`],
    mended: {
      [P]: `export function f(): void {\n${lines(68, '  //')}}\n`,
      [T]: `describe('x', () => {\n${lines(90, '//')}});`,
    },
  },
  {
    rule: 'sizes',
    breach: 'an arrow function of 71 lines within a test',
    files: { [T]: `it('x', () => {\n${lines(69, '  //')}});\n` },
    at: [`${T}:1`],
    mended: { [T]: `it('x', () => {\n${lines(68, '  //')}});\n` },
  },
  {
    rule: 'sizes',
    breach: 'a method with five parameters',
    files: { [P]: 'class A {\n  f(a: 1, b: 2, c: 3, d: 4, e: 5): void {}\n}\n' },
    at: [`${P}:2`],
    mended: { [P]: 'class A {\n  f(a: 1, b: 2, c: 3, d: 4): void {}\n}\n' },
  },
  {
    rule: 'sizes',
    breach: 'four levels of blocks',
    files: { [P]: 'for (;;) {\n  while (a) {\n    if (b) {\n      switch (c) {\n      }\n    }\n  }\n}\n' },
    at: [`${P}:4`],
    mended: {
      [P]: 'for (;;) {\n  while (a) {\n    if (b) {\n    } else if (c) {\n    } else if (d) {\n    }\n  }\n}\n',
    },
  },
  {
    rule: 'units',
    breach: 'times without a unit',
    files: {
      [P]: 'export interface A {\n  readonly timeout: number;\n}\nconst retryDelay = 5;\nfunction f(lease: number) {}\n',
    },
    at: [`${P}:2`, `${P}:4`, `${P}:5`],
    mended: {
      [P]: 'export interface A {\n  readonly timeoutMs: number;\n}\nconst messages = 5;\nfunction f(usage: number) {}\n',
    },
  },
  {
    rule: 'public-faces',
    breach: 'a barrel inside of a package',
    files: { 'packages/domain/src/locks/index.ts': "export * from './fence.ts';\n" },
    at: ['packages/domain/src/locks/index.ts:1'],
    mended: {
      'packages/domain/package.json': '{ "exports": { ".": "./src/index.ts" } }',
      'packages/domain/src/index.ts': "export * from './locks/fence.ts';\n",
    },
  },
  {
    rule: 'public-faces',
    breach: 'a re-export inside of a package',
    files: { [P]: "const b = 1;\nexport { a } from './other.ts';\n" },
    at: [`${P}:2`],
    mended: { [P]: "import { a } from './other.ts';\nexport const c = a;\n" },
  },
  {
    rule: 'casts',
    breach: 'type assertions without a reason',
    files: { [P]: 'export const a = b as Lock;\nexport const c = d as unknown as Lock;\n' },
    at: [`${P}:1`, `${P}:2`],
    mended: {
      [P]: '// Written by us.\nexport const a = b as Lock;\nconst e = [1] as const;\nconst f = e as readonly string[];\n',
      [T]: 'const a = b as Lock;\n',
    },
  },
  {
    rule: 'casts',
    breach: 'a reason that stands after another statement',
    files: { [P]: '// Reason.\nconst a = 1;\nconst b = a as Lock;\n' },
    at: [`${P}:3`],
    mended: { [P]: 'function f() {\n  // Checked above.\n  return a as Lock;\n}\n' },
  },
  {
    rule: 'dropped-errors',
    breach: 'catch clauses that lose the error',
    files: { [P]: 'try {\n  a();\n} catch {\n  b();\n}\ntry {\n  a();\n} catch (error) {\n  b();\n}\n' },
    at: [`${P}:3`, `${P}:8`],
    mended: {
      [P]: 'try {\n  a();\n} catch {\n  // Nothing was there.\n}\ntry {\n  a();\n} catch (error) {\n  b(error);\n}\ntry {\n  a();\n} catch {\n  throw new Error();\n}\n',
    },
  },
  {
    rule: 'endless-loops',
    breach: 'loops without an end',
    files: { [P]: 'while (true) {\n  a();\n}\nfor (;;) {\n  a();\n}\n' },
    at: [`${P}:1`, `${P}:4`],
    mended: { [P]: '// Ends with the connection.\nwhile (true) {\n  a();\n}\nfor (let i = 0; i < 3; i += 1) a();\n' },
  },
  {
    rule: 'sql',
    breach: 'key words in upper case',
    files: { [STORE]: "const FIND = 'SELECT id from locks';\n" },
    at: [`${STORE}:1`],
    mended: { [STORE]: "const FIND = 'select id from locks';\n", [P]: "const say = 'SELECT';\n" },
  },
  {
    rule: 'sql',
    breach: 'a value in the text of a statement',
    files: { [STORE]: 'const find = (id: string) => `select id from locks where id = ${id}`;\n' },
    at: [`${STORE}:1`],
    mended: { [STORE]: 'const COLUMNS = 1;\nconst find = () => `select ${COLUMNS} from locks where id = $1`;\n' },
  },
  {
    rule: 'sql',
    breach: 'an index, a check and a lock clause without a reason',
    files: {
      [STORE]:
        'const a = 1;\n\n\n\nconst M = `\ncreate table t (\n  a text check (a = 1),\n  check (a <> b)\n);\ncreate index i on t (a);\n' +
        'select a from t for update;\n`;\n',
    },
    at: [`${STORE}:8`, `${STORE}:10`, `${STORE}:11`],
    mended: {
      [STORE]:
        'const M = `\n-- One of both.\ncheck (a <> b)\n-- For the list.\ncreate index i on t (a);\n' +
        'select a from t for update -- the head of the chain\n`;\n',
    },
  },
  {
    rule: 'tests',
    breach: 'mocks and fake clocks',
    files: { [T]: 'vi.fn();\nvi.mock("./a.ts");\nvi.useFakeTimers();\n' },
    at: [`${T}:1`, `${T}:2`, `${T}:3`],
    mended: { [T]: 'makeFakeRegistry();\n' },
  },
  {
    rule: 'tests',
    breach: 'a sleep',
    files: { [T]: 'await new Promise((resolve) => setTimeout(resolve, 10));\nawait sleep(5);\n' },
    at: [`${T}:1`, `${T}:2`],
    mended: { [T]: "await waitFor(() => isUp(), { timeoutMs: 10, why: 'up' });\n" },
  },
  {
    rule: 'tests',
    breach: 'tests that are switched off',
    files: { [T]: "it.only('a', f);\nit.skip('later', f);\nit.todo('b');\n" },
    at: [`${T}:1`, `${T}:2`, `${T}:3`],
    mended: { [T]: "it.skip('missing component: docker-registry', f);\nit.skip('needs root: another uid', f);\n" },
  },
  {
    rule: 'tests',
    breach: 'a test that asserts nothing',
    files: { [T]: "it('runs', () => {\n  run();\n});\n" },
    at: [`${T}:1`],
    mended: {
      [T]: "it('runs', () => {\n  expect(run()).toBe(1);\n});\nit('holds', () => {\n  fc.assert(p);\n});\nit('waits', async () => {\n  await waitFor(c);\n});\n",
    },
  },
  {
    rule: 'tests',
    breach: 'a property that returns a matcher',
    files: { [T]: 'fc.property(fc.nat(), (n) => expect(n).toBe(n));\n' },
    at: [`${T}:1`],
    mended: { [T]: 'fc.property(fc.nat(), (n) => {\n  expect(n).toBe(n);\n});\n' },
  },
  {
    rule: 'tests',
    breach: 'a place where no runner looks',
    files: { 'packages/server/test/other/planted.test.ts': '' },
    at: ['packages/server/test/other/planted.test.ts:1'],
    mended: { 'packages/server/test/crash/planted.test.ts': '' },
  },
  {
    rule: 'error-codes',
    breach: 'codes that nothing uses or tests',
    files: {
      'packages/domain/src/errors/codes/planted-codes.ts':
        "export const PLANTED_CODES = {\n  'a.b': 1,\n  'a.c': 2,\n} as const satisfies X;\n",
      'packages/server/src/engine/planted.ts': "throw new AppError('a.b');\n",
      'packages/server/test/integration/planted.test.ts': "expectCode('a.c');\n",
    },
    at: ['packages/domain/src/errors/codes/planted-codes.ts:2', 'packages/domain/src/errors/codes/planted-codes.ts:3'],
    mended: {
      'packages/domain/src/errors/codes/planted-codes.ts':
        "export const PLANTED_CODES = {\n  'a.b': 1,\n  'a.c': 2,\n};\n",
      'packages/server/src/engine/planted.ts': "throw new AppError(x ? 'a.b' : 'a.c');\n",
      'packages/cli/test/transcripts/planted.txt': 'error a.c (409)\n',
      'packages/server/test/integration/planted.test.ts': "expectCode('a.b');\n",
    },
  },
  {
    rule: 'settings',
    breach: 'a setting that nothing reads',
    files: { 'packages/domain/src/settings/settings.ts': "export const SETTINGS = {\n  'a.b': 1,\n};\n" },
    at: ['packages/domain/src/settings/settings.ts:2'],
    mended: {
      'packages/domain/src/settings/settings.ts': "export const SETTINGS = {\n  'a.b': 1,\n};\n",
      'packages/server/src/engine/planted.ts': "export const x = settings['a.b'];\n",
    },
  },
  {
    rule: 'generated-fault-points',
    breach: 'a statement whose crash nobody has tested',
    files: {
      'packages/server/src/faults/fault-points.ts':
        "export const STATEMENT_FAULT_POINTS = [\n  'sql.locks_insert',\n  'sql.locks_steal',\n] as const;\n",
      'packages/server/test/crash/planted.test.ts': "crashAt(['sql.locks_insert']);\n",
    },
    at: ['packages/server/src/faults/fault-points.ts:3'],
    mended: {
      'packages/server/src/faults/fault-points.ts':
        "export const STATEMENT_FAULT_POINTS = ['sql.locks_insert', 'sql.locks_steal'] as const;\n",
      'packages/server/test/crash/planted.test.ts': "crashAt(['sql.locks_insert', 'sql.locks_steal']);\n",
    },
  },
  {
    rule: 'fault-points',
    breach: 'a fault point without a crash test',
    files: {
      'packages/server/src/engine/fault-points.ts':
        "export const ENGINE_FAULT_POINTS = [\n  'engine.claimed',\n] as const;\n",
      'packages/server/src/engine/planted.ts': "faults.hit('engine.claimed');\n",
      'packages/server/test/integration/planted.test.ts': "arm('engine.claimed');\n",
    },
    at: ['packages/server/src/engine/fault-points.ts:2'],
    mended: {
      'packages/server/src/engine/fault-points.ts': "export const ENGINE_FAULT_POINTS = ['engine.claimed'] as const;\n",
      'packages/server/src/engine/planted.ts': "faults.hit('engine.claimed');\n",
      'packages/server/test/crash/planted.test.ts':
        "import { ENGINE_FAULT_POINTS } from '../../src/engine/fault-points.ts';\n",
    },
  },
  {
    rule: 'kinds',
    breach: 'a gate kind that no page describes',
    files: {
      'packages/domain/src/environment/environment-definition.ts': "export const GATE_KINDS = ['soak'] as const;\n",
      'packages/domain/src/gates/planted.ts': "if (kind === 'soak') a();\n",
      [T]: "check('soak');\n",
      'docs/adr/0001-a.md': 'about `soak`\n',
    },
    at: ['packages/domain/src/environment/environment-definition.ts:1'],
    mended: {
      'packages/domain/src/environment/environment-definition.ts': "export const GATE_KINDS = ['soak'] as const;\n",
      'packages/domain/src/gates/planted.ts': "if (kind === 'soak') a();\n",
      [T]: "check('soak');\n",
      'docs/gates.md': 'the gate `soak` waits\n',
    },
  },
  {
    rule: 'causes',
    breach: 'a cause that the page for people on call does not describe',
    files: {
      'packages/domain/src/diagnosis/causes.ts': "const CAUSE_TABLE = { 'lock.lost': 1 };\n",
      'packages/domain/src/diagnosis/planted.ts': "makeCause('lock.lost');\n",
      [T]: "check('lock.lost');\n",
      'docs/other.md': 'the cause `lock.lost`\n',
    },
    at: ['packages/domain/src/diagnosis/causes.ts:1'],
    mended: {
      'packages/domain/src/diagnosis/causes.ts': "const CAUSE_TABLE = { 'lock.lost': 1 };\n",
      'packages/domain/src/diagnosis/planted.ts': "makeCause('lock.lost');\n",
      [T]: "check('lock.lost');\n",
      'docs/diagnosis.md': 'the cause `lock.lost`\n',
    },
  },
  {
    rule: 'safety-page',
    breach: 'a property without a check, and a rule that is in no page and has no twin',
    files: {
      'packages/domain/src/safety/violation.ts': "export const PROPERTIES = [\n  'S1',\n  'S2',\n] as const;\n",
      'packages/domain/src/safety/lock-rules.ts': "export const one = { name: 'S1.one' };\n",
      'docs/safety.md':
        '| S1 | alone | an index |  | [t](t.ts) |\n| S2 | rising | a sequence | the test | [t](t.ts) |\n',
    },
    at: [
      'packages/domain/src/safety/violation.ts:2',
      'packages/domain/src/safety/lock-rules.ts:1',
      'packages/domain/src/safety/lock-rules.ts:1',
    ],
    mended: {
      'packages/domain/src/safety/violation.ts': "export const PROPERTIES = [\n  'S1',\n] as const;\n",
      'packages/domain/src/safety/lock-rules.ts': "export const one = { name: 'S1.one' };\n",
      'packages/server/src/store/invariants/lock-invariants.ts': "export const one = { rule: 'S1.one' };\n",
      'docs/safety.md': '| S1 | alone | an index | `S1.one` | [t](t.ts) |\n',
    },
  },
  {
    rule: 'dependencies',
    breach: 'a range, a dependency without a reason, a reason without a dependency',
    files: {
      'package.json': '{ "devDependencies": {\n  "pg": "^8.0.0",\n  "yaml": "1.0.0"\n} }\n',
      'CONTRIBUTING.md': '| `pg` | server | speaks to the database |\n| `gone` | server | once needed |\n',
    },
    at: ['package.json:2', 'package.json:3', 'CONTRIBUTING.md:2'],
    mended: {
      'package.json': '{ "devDependencies": { "pg": "8.0.0" } }\n',
      'CONTRIBUTING.md': '| `pg` | server | speaks to the database |\n',
    },
  },
  {
    rule: 'dependencies',
    breach: 'an import that the package does not declare',
    files: {
      'package.json': '{ "devDependencies": { "vitest": "1.0.0" } }\n',
      'CONTRIBUTING.md': '| `vitest` | all | runs tests |\n',
      'packages/domain/package.json': '{}',
      [P]: "import { test } from 'vitest';\n",
    },
    at: [`${P}:1`],
    mended: {
      'package.json': '{ "devDependencies": { "vitest": "1.0.0" } }\n',
      'CONTRIBUTING.md': '| `vitest` | all | runs tests |\n',
      'packages/domain/package.json': '{}',
      [T]: "import { test } from 'vitest';\n",
    },
  },
  {
    rule: 'lockfile',
    breach: 'a platform package that npm left out',
    files: {
      'package-lock.json':
        '{ "packages": { "node_modules/a": { "version": "1.0.0", "optionalDependencies": { "@a/linux": "1.0.0" } } } }',
    },
    at: ['package-lock.json:1'],
    mended: {
      'package-lock.json':
        '{ "packages": { "node_modules/a": { "version": "1.0.0", "optionalDependencies": { "@a/linux": "1.0.0" } }, ' +
        '"node_modules/@a/linux": { "version": "1.0.0" } } }',
    },
  },
  {
    rule: 'scripts',
    breach: 'a script without its file',
    files: { 'package.json': '{ "scripts": {\n  "gen": "tsx tools/gen.ts"\n} }\n' },
    at: ['package.json:2'],
    mended: { 'package.json': '{ "scripts": { "gen": "tsx tools/gen.ts" } }\n', 'tools/gen.ts': '' },
  },
  {
    rule: 'machine-paths',
    breach: 'a directory of somebody',
    files: { 'docs/planted.md': `run it\nin ${['', 'home', 'anna', 'stella'].join('/')}\n` },
    at: ['docs/planted.md:2'],
    mended: { 'docs/planted.md': 'run it in ~/stella or /var/lib/stella\n' },
  },
];

describe('rules of tidy', () => {
  it.each(CASES)('$rule finds $breach', ({ rule, files, at }) => {
    expect(placesOf(rule, files)).toEqual(at);
  });

  it.each(CASES)('$rule is content without: $breach', ({ rule, mended }) => {
    expect(placesOf(rule, mended)).toEqual([]);
  });

  it('has a planted breach for every rule', () => {
    const planted = new Set([...CASES.map((item) => item.rule), 'generated']);
    expect(RULES.map((rule) => rule.name).filter((name) => !planted.has(name))).toEqual([]);
  });
});
