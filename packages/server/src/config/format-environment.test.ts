import {
  type EnvironmentDefinition,
  type GateDefinition,
  SKIP_RULES,
  type SkipRule,
  type TargetDefinition,
  usualSkipRule,
} from '@stella/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEnvironmentYaml } from './format-environment.ts';
import { parseEnvironmentDocuments } from './parse-environments.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Names that YAML could take for something else, among others. */
const name = fc.oneof(
  fc.constantFrom('null', 'true', 'no', '1', '12e3', '0x1f', '1-2-3', 'a'),
  fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/),
);
const durationMs = (min: number, max: number) => fc.integer({ min, max });
const url = fc
  .tuple(fc.constantFrom('http', 'https'), fc.webPath(), fc.option(fc.webQueryParameters(), { nil: '' }))
  .map(([scheme, path, query]) => `${scheme}://127.0.0.1:8080${path}${query === '' ? '' : `?${query}`}`)
  .filter((text) => /^[\x21-\x7e]+$/.test(text));
const printable = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,30}[\x21-\x7e])?$/);
const headers = fc.dictionary(fc.stringMatching(/^x-[a-z0-9]{1,10}$/), printable, { maxKeys: 5 });
const common = { name, validForMs: durationMs(1_000, 90 * DAY_MS) };

/** What is usual is left out of a definition. */
function withSkip(one: GateDefinition, skip: SkipRule | null): GateDefinition {
  return skip === null || skip === usualSkipRule(one.kind) ? one : { ...one, skip };
}

const httpGate = fc.record({
  ...common,
  kind: fc.constant('http' as const),
  url,
  headers,
  timeoutMs: durationMs(10, HOUR_MS),
  retryCount: fc.nat(10),
  backoffMs: durationMs(0, HOUR_MS),
});
const approvalGate = fc.record({
  ...common,
  kind: fc.constant('approval' as const),
  count: fc.integer({ min: 1, max: 3 }),
  group: fc.option(
    fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,20}$/), { minLength: 3, maxLength: 6 }),
  ),
  deadlineMs: durationMs(1_000, 90 * DAY_MS),
});

function gatesAfter(promotesFrom: readonly string[]): fc.Arbitrary<readonly GateDefinition[]> {
  const soak = fc.record({
    ...common,
    kind: fc.constant('soak' as const),
    durationMs: durationMs(1_000, 40 * DAY_MS),
    environments: fc.subarray([...promotesFrom], { minLength: Math.min(1, promotesFrom.length) }),
    deadlineMs: durationMs(41 * DAY_MS, 90 * DAY_MS),
  });
  const kinds: fc.Arbitrary<GateDefinition>[] = promotesFrom.length === 0 ? [] : [soak];
  const skip = fc.constantFrom(null, ...SKIP_RULES);
  const anyGate = fc.tuple(fc.oneof(httpGate, approvalGate, ...kinds), skip).map(([one, rule]) => withSkip(one, rule));
  return fc.uniqueArray(anyGate, { maxLength: 5, selector: (gate) => gate.name });
}

const health = fc.record({
  url,
  expectStatus: fc.integer({ min: 100, max: 599 }),
  timeoutMs: durationMs(10, 60_000),
  intervalMs: durationMs(10, 1_000),
  threshold: fc.integer({ min: 1, max: 20 }),
  deadlineMs: durationMs(60_000, HOUR_MS),
});
const targets: fc.Arbitrary<readonly TargetDefinition[]> = fc
  .uniqueArray(
    fc.record({
      kind: fc.constant('files' as const),
      name,
      component: name,
      directory: fc.stringMatching(/^[A-Za-z0-9 #:'"ß%-]{1,20}$/),
      keepCount: fc.integer({ min: 1, max: 50 }),
      health: fc.option(health),
    }),
    { minLength: 1, maxLength: 4, selector: (target) => target.name },
  )
  // The index keeps them apart.
  .map((list) => list.map((target, index) => ({ ...target, directory: `/srv/${index}/${target.directory}` })));

const definition: fc.Arbitrary<EnvironmentDefinition> = fc
  .uniqueArray(name, { minLength: 1, maxLength: 4 })
  .chain(([own = '', ...promotesFrom]) =>
    fc.record({
      name: fc.constant(own),
      promotesFrom: fc.constant(promotesFrom),
      gates: gatesAfter(promotesFrom),
      targets,
      onFailure: fc.constantFrom('rollback', 'hold'),
      queue: fc.constantFrom('fifo', 'latest'),
      precheck: fc.constantFrom('required', 'warn'),
      deployDeadlineMs: durationMs(1_000, 4 * HOUR_MS),
    }),
  );

describe('formatEnvironmentYaml', () => {
  it('writes what apply reads back as the same definition', () => {
    fc.assert(
      fc.property(definition, (wanted) => {
        const text = formatEnvironmentYaml(wanted);
        expect(parseEnvironmentDocuments(text, 'x.yaml').map((one) => one.definition)).toEqual([wanted]);
        expect(formatEnvironmentYaml(structuredClone(wanted))).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  it('reads well', () => {
    const text = formatEnvironmentYaml({
      name: 'prod',
      promotesFrom: ['staging'],
      gates: [
        { kind: 'approval', name: 'board', count: 1, group: null, deadlineMs: DAY_MS, validForMs: DAY_MS },
        {
          kind: 'soak',
          name: 'soak',
          durationMs: 90_000,
          environments: ['staging'],
          deadlineMs: DAY_MS,
          validForMs: DAY_MS,
        },
      ],
      targets: [{ kind: 'files', name: 'web', component: 'web', directory: '/srv/shop', keepCount: 3, health: null }],
      onFailure: 'rollback',
      precheck: 'required',
      queue: 'fifo',
      deployDeadlineMs: 900_000,
    });
    expect(text).toBe(`kind: Environment
name: prod
promotesFrom:
  - staging
gates:
  - name: board
    kind: approval
    validFor: 1d
    skip: forbidden
    count: 1
    deadline: 1d
  - name: soak
    kind: soak
    validFor: 1d
    skip: allowed
    duration: 1m30s
    environments:
      - staging
    deadline: 1d
targets:
  - name: web
    kind: files
    component: web
    directory: /srv/shop
    keep: 3
onFailure: rollback
precheck: required
queue: fifo
deployDeadline: 15m
`);
  });
});
