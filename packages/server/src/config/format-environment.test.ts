import {
  type CommandArgv,
  type DependencyGateDefinition,
  type DeployStrategy,
  type EnvironmentDefinition,
  type GateDefinition,
  type PlannedFreeze,
  SKIP_RULES,
  type SkipRule,
  type TargetDefinition,
  usualSkipRule,
  WEEKDAYS,
  type WindowGateDefinition,
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

const httpKeys = {
  ...common,
  kind: fc.constant('http' as const),
  url,
  headers,
  timeoutMs: durationMs(10, HOUR_MS),
  retryCount: fc.nat(10),
  backoffMs: durationMs(0, HOUR_MS),
};
const probePath = fc.stringMatching(/^\/[a-z0-9/]{0,20}$/).filter((path) => !path.startsWith('//'));
const httpGate = fc.oneof(
  fc.record({ ...httpKeys }),
  fc.record({ ...httpKeys, pollIntervalMs: durationMs(100, 300_000) }),
  fc.record({ ...httpKeys, slaMs: durationMs(1, HOUR_MS), probe: probePath }),
);
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
  const anyGate = fc
    .tuple(fc.oneof(httpGate, approvalGate, windowGate, dependencyGate, ...kinds), skip)
    .map(([one, rule]) => withSkip(one, rule));
  return fc.uniqueArray(anyGate, { maxLength: 5, selector: (gate) => gate.name });
}

const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'America/Argentina/Buenos_Aires');
const clock = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 })).map(([hour, minute]) => {
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
});
const windowGate: fc.Arbitrary<WindowGateDefinition> = fc.record({
  kind: fc.constant('window' as const),
  name,
  validForMs: durationMs(1_000, DAY_MS),
  zone,
  allow: fc.array(
    fc
      .record({
        days: fc.subarray([...WEEKDAYS], { minLength: 1 }),
        from: clock,
        to: fc.oneof(clock, fc.constant('24:00')),
      })
      .filter(({ from, to }) => from !== to),
    { maxLength: 3 },
  ),
  deadlineMs: durationMs(1_000, 90 * DAY_MS),
});
const dependencyGate: fc.Arbitrary<DependencyGateDefinition> = fc.record({
  kind: fc.constant('dependency' as const),
  name,
  validForMs: durationMs(1_000, DAY_MS),
  requires: fc.array(
    fc.oneof(
      fc.record({
        environment: fc.constant('an-other'),
        state: fc.constant('runs' as const),
        component: fc.option(name),
        release: fc.option(fc.constantFrom('shop-1.2.0', '1.0', 'true')),
      }),
      fc.constant({ environment: 'an-other', state: 'idle' as const, component: null, release: null }),
    ),
    { minLength: 1, maxLength: 3 },
  ),
  deadlineMs: durationMs(1_000, 90 * DAY_MS),
});
const plannedFreeze: fc.Arbitrary<PlannedFreeze> = fc.record({
  from: clock.map((time) => `2026-12-20T${time}`),
  to: clock.map((time) => `2027-01-04T${time}`),
  zone,
  reason: fc.constantFrom('year end', 'true', '1: # "x"'),
});

const healthTiming = {
  timeoutMs: durationMs(10, 60_000),
  intervalMs: durationMs(10, 1_000),
  threshold: fc.integer({ min: 1, max: 20 }),
  deadlineMs: durationMs(60_000, HOUR_MS),
};
const argv = fc
  .tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.array(printable, { maxLength: 3 }))
  .map(([program, args]): CommandArgv => [`/opt/${program}`, ...args]);
const health = fc.oneof(
  fc.record({ url, expectStatus: fc.integer({ min: 100, max: 599 }), ...healthTiming }),
  fc.record({
    kind: fc.constant('tcp' as const),
    address: fc.constantFrom('10.0.0.8', '::1', 'db.example.org'),
    port: fc.integer({ min: 1, max: 65_535 }),
    ...healthTiming,
  }),
  fc.record({ kind: fc.constant('command' as const), command: argv, ...healthTiming }),
);
const ssh = {
  address: fc.constantFrom('web-1.example.org', '10.0.0.5', '::1'),
  port: fc.integer({ min: 1, max: 65_535 }),
  user: fc.constantFrom('deploy', 'root', 'null'),
  key: fc.constantFrom('env:STELLA_SECRET_KEY', 'file:/etc/stella/key'),
};
const host = fc
  .oneof(
    fc.record({ ...ssh, hostKey: fc.constant(`SHA256:${'b'.repeat(43)}`) }),
    fc.record({ ...ssh, knownHosts: fc.constant('/etc/ssh/ssh_known_hosts') }),
  )
  .map((one) => ({ ssh: one }));
const commandTarget = fc.record(
  {
    kind: fc.constant('command' as const),
    name,
    component: name,
    health: fc.option(health),
    deploy: argv,
    observe: argv,
    host,
    rollback: argv,
  },
  { requiredKeys: ['kind', 'name', 'component', 'health', 'deploy', 'observe'] },
);
const filesTargets = fc
  .uniqueArray(
    fc.record(
      {
        kind: fc.constant('files' as const),
        name,
        component: name,
        host,
        directory: fc.stringMatching(/^[A-Za-z0-9 #:'"ß%-]{1,20}$/),
        keepCount: fc.integer({ min: 1, max: 50 }),
        health: fc.option(health),
      },
      { requiredKeys: ['kind', 'name', 'component', 'directory', 'keepCount', 'health'] },
    ),
    { minLength: 1, maxLength: 4, selector: (target) => target.name },
  )
  // The index keeps them apart.
  .map((list) => list.map((target, index) => ({ ...target, directory: `/srv/${index}/${target.directory}` })));
const targets: fc.Arbitrary<readonly TargetDefinition[]> = fc
  .tuple(filesTargets, fc.array(commandTarget, { maxLength: 2 }))
  .map(([files, commands]) => [...files, ...commands])
  .filter((list) => new Set(list.map((target) => target.name)).size === list.length);

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
      freezes: fc.array(plannedFreeze, { maxLength: 3 }),
      concurrency: fc.constantFrom('exclusive', 'per_component'),
      precheck: fc.constantFrom('required', 'warn'),
      deployDeadlineMs: durationMs(1_000, 4 * HOUR_MS),
    }),
  )
  .chain((plain) => strategyOf(plain.targets).map((strategy) => withStrategy(plain, strategy)));

/** What a canary needs beside it: time, and that releases carry everything. */
function withStrategy(plain: EnvironmentDefinition, strategy: DeployStrategy | null): EnvironmentDefinition {
  if (strategy === null) return plain;
  if (strategy.kind === 'rolling') return { ...plain, strategy };
  return { ...plain, strategy, concurrency: 'exclusive', deployDeadlineMs: HOUR_MS };
}

function strategyOf(places: readonly TargetDefinition[]): fc.Arbitrary<DeployStrategy | null> {
  const rolling = fc.record({
    kind: fc.constant('rolling' as const),
    maxUnavailable: fc.integer({ min: 1, max: places.length }),
  });
  return fc.option(places.length > 1 ? fc.oneof(rolling, canaryOf(places)) : rolling);
}

/** All but the first go before it. */
function canaryOf(places: readonly TargetDefinition[]): fc.Arbitrary<DeployStrategy> {
  const bound = fc.integer({ min: -1_000, max: 1_000 }).map((thousandths) => thousandths / 1_000);
  return fc.record({
    kind: fc.constant('canary' as const),
    targets: fc.constant(places.slice(1).map((target) => target.name)),
    soakMs: durationMs(1_000, 1_000),
    judge: fc.record(
      {
        url,
        expectStatus: fc.integer({ min: 100, max: 599 }),
        timeoutMs: durationMs(10, 60_000),
        intervalMs: durationMs(1_000, HOUR_MS),
        failuresAllowed: fc.integer({ min: 0, max: 100 }),
        value: fc.record({ pointer: fc.constantFrom('/a', '/data/result/0/value/1', '/a~1b'), max: bound }),
      },
      { requiredKeys: ['url', 'expectStatus', 'timeoutMs', 'intervalMs', 'failuresAllowed'] },
    ),
  });
}

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
  }, 60_000);

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
      freezes: [{ from: '2026-12-20T18:00', to: '2027-01-04T08:00', zone: 'Europe/Berlin', reason: 'year end' }],
      concurrency: 'exclusive',
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
freezes:
  - from: 2026-12-20T18:00
    to: 2027-01-04T08:00
    zone: Europe/Berlin
    reason: year end
concurrency: exclusive
deployDeadline: 15m
`);
  });
});
