/** What `check.config` makes of settings, environments, people and files. */
import { type Approver, type EnvironmentDefinition, parseDigest, type RoleBinding } from '@stella/domain';
import {
  makeCanary,
  makeCommandTarget,
  makeDefinition,
  makeEmptyEnvironment,
  makeTarget,
  makeHttpGate,
  makeSeededIds,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { EnvironmentRow, SettingChange } from '../../ports/read-store.ts';
import type { CheckFinding, DoctorDeps } from '../check.ts';
import { fileOfMode, healthyDeps } from '../healthy-deps.ts';
import { config } from './config.ts';

const ids = makeSeededIds(1);
const tests = makeHttpGate({ name: 'tests', url: 'http://127.0.0.1:9/tests', timeoutMs: 120_000 });
const sign = { kind: 'approval', name: 'sign', validForMs: 1, count: 1, group: null, deadlineMs: 1 } as const;

interface World {
  readonly definitions?: readonly EnvironmentDefinition[];
  readonly changes?: readonly Pick<SettingChange, 'key' | 'value'>[];
  readonly approvers?: readonly Approver[];
  readonly deps?: Partial<DoctorDeps>;
}

function look({ definitions = [], changes = [], approvers = [], deps = {} }: World): Promise<CheckFinding> {
  const healthy = healthyDeps();
  const reads = {
    ...healthy.reads,
    listEnvironments: () => Promise.resolve(definitions.map(toRow)),
    listSettings: () =>
      Promise.resolve(
        changes.map((change) => ({
          ...change,
          version: 1,
          changedAtMs: 0,
          changedBy: { kind: 'system', name: 'test' } as const,
          reason: '',
        })),
      ),
    listApprovers: () => Promise.resolve(approvers),
  };
  // It asks nothing of the audit.
  return config.look({ ...healthy, reads, ...deps } as DoctorDeps, new AbortController().signal);
}

function toRow(definition: EnvironmentDefinition): EnvironmentRow {
  const { name } = definition;
  const hash = parseDigest(`sha256:${'0'.repeat(64)}`);
  const status = makeEmptyEnvironment(name);
  return { definition, version: 1, hash, appliedAtMs: 0, status, releaseName: null, releaseNames: {}, debts: [] };
}

function approver(subject: string, ...bindings: readonly RoleBinding[]): Approver {
  return { personId: ids.next('per'), subject, bindings };
}

describe('check.config', () => {
  it('passes, and names the settings that beat a definition', async () => {
    const definitions = [makeDefinition({ name: 'prod', gates: [tests] })];
    const finding = await look({ definitions, changes: [{ key: 'gates.tests.timeout', value: 180_000 }] });
    expect(finding).toMatchObject({ status: 'pass', message: 'settings, environments and people fit together' });
    expect(finding.facts).toContainEqual({
      what: 'prod/tests',
      value: 'the setting gates.tests.timeout = 3m beats the 2m of its definition',
    });
  });

  it.each([
    ['gates.tsts.timeout', 1_000, 'no gate goes by it: none of that name asks a service'],
    ['environments.dev.gates.tests.timeout', 1_000, 'no gate goes by it: none of that name asks a service'],
    ['locks.timeout', 7_200_000, '2h is outside of 1s to 1h'],
    ['locks.mode', 7, '7 is outside of pessimistic, optimistic'],
    ['of.a.later.version', 1, 'this version does not know it'],
  ] as const)('warns of the setting %s = %d', async (key, value, message) => {
    const definitions = [makeDefinition({ name: 'prod', gates: [tests] })];
    // Rows of the database may hold any key.
    const finding = await look({ definitions, changes: [{ key: key as SettingChange['key'], value }] });
    expect(finding).toMatchObject({ status: 'warn', message: `setting ${key}: ${message}` });
    expect(finding.remedy?.command).toBe(`stella orch config unset ${key}`);
  });

  it('goes by no setting that was unset', async () => {
    expect(await look({ changes: [{ key: 'gates.gone.timeout', value: null }] })).toMatchObject({ status: 'pass' });
  });

  it('fails for a predecessor, or one that is depended on, that is not there', async () => {
    const finding = await look({ definitions: [makeDefinition({ name: 'prod', promotesFrom: ['dev'] })] });
    expect(finding).toMatchObject({
      status: 'fail',
      message: 'prod: waits for the environment dev, which is not there',
    });
  });

  it('fails for an approval that not enough people may give, before a promotion meets it', async () => {
    const definitions = [makeDefinition({ name: 'prod', gates: [{ ...sign, count: 2, group: ['ann', 'bob', 'cy'] }] })];
    const onProd = { role: 'approver', pattern: 'prod' } as const;
    const approvers = [
      approver('ann', onProd),
      approver('bob', { role: 'approver', pattern: 'dev' }),
      approver('dora', onProd),
    ];
    const finding = await look({ definitions, approvers });
    expect(finding).toMatchObject({
      status: 'fail',
      message: 'prod/sign: wants 2 of its group, and only ann may decide',
      remedy: { command: 'stella auth person create SUBJECT --role approver@prod' },
    });
    const whole = [...approvers, approver('cy', { role: 'admin', pattern: '*' })];
    expect(await look({ definitions, approvers: whole })).toMatchObject({ status: 'pass' });
  });

  it('concludes nothing from a part of very many approvers', async () => {
    const definitions = [makeDefinition({ name: 'prod', gates: [sign] })];
    const approvers = Array.from({ length: 501 }, (_, index) => approver(`p${index}`));
    expect(await look({ definitions, approvers })).toMatchObject({ status: 'pass' });
    expect(await look({ definitions, approvers: [] })).toMatchObject({ status: 'fail' });
  });

  it('fails for addresses and directories that this server may not reach', async () => {
    const definitions = [makeDefinition({ name: 'prod', gates: [tests], targets: [makeTarget({ name: 'web' })] })];
    const reach = { coversAddress: () => true, coversTarget: () => Promise.resolve(true) };
    expect(await look({ definitions, deps: { reach } })).toMatchObject({ status: 'pass' });
    const noAddress = { ...reach, coversAddress: (address: string) => address !== '127.0.0.1' };
    expect(await look({ definitions, deps: { reach: noAddress } })).toMatchObject({
      status: 'fail',
      message: 'prod/tests: 127.0.0.1 is in none of the ranges that may be reached',
    });
    const timing = { timeoutMs: 1_000, intervalMs: 1_000, threshold: 2, deadlineMs: 60_000 };
    const mail = makeTarget({ name: 'mail', health: { kind: 'tcp', address: '::1', port: 25, ...timing } });
    const noLoopback = { ...reach, coversAddress: (address: string) => address !== '::1' };
    const connected = [makeDefinition({ name: 'prod', targets: [mail] })];
    expect(await look({ definitions: connected, deps: { reach: noLoopback } })).toMatchObject({
      status: 'fail',
      message: 'prod/mail: ::1 is in none of the ranges that may be reached',
    });
    const ssh = { address: '10.0.0.5', port: 22, user: 'deploy', key: 'env:STELLA_SECRET_HOST', hostKey: 'SHA256:x' };
    const far = makeCommandTarget({ name: 'far', host: { ssh } });
    const strategy = makeCanary({ judge: { ...makeCanary().judge, url: 'http://10.0.0.6/ok' } });
    const remote = [makeDefinition({ name: 'prod', targets: [far], strategy })];
    const noTens = { ...reach, coversAddress: (address: string) => !address.startsWith('10.') };
    const { facts } = await look({ definitions: remote, deps: { reach: noTens } });
    const value = (address: string): string => `${address} is in none of the ranges that may be reached`;
    expect(facts.slice(0, 2)).toEqual([
      { what: 'prod/judge', value: value('10.0.0.6') },
      { what: 'prod/far', value: value('10.0.0.5') },
    ]);
    const noTarget = { ...reach, coversTarget: () => Promise.resolve(false) };
    expect(await look({ definitions, deps: { reach: noTarget } })).toMatchObject({
      status: 'fail',
      remedy: { text: 'add one to STELLA_TARGET_DIRECTORIES, then restart' },
    });
  });

  it('warns of an environment whose whole is over the objective', async () => {
    const definitions = [makeDefinition({ name: 'prod', gates: [tests], deployDeadlineMs: 3_600_000 })];
    expect(await look({ definitions })).toMatchObject({
      status: 'warn',
      remedy: { command: 'stella orch config list' },
    });
  });

  it('fails for a secret that others can read, and warns of the rest after it', async () => {
    const fileSystem = { ...healthyDeps().fileSystem, stat: fileOfMode(0o644) };
    const changes = [{ key: 'gates.gone.timeout', value: 1_000 }] as const;
    const finding = await look({ changes, deps: { fileSystem } });
    expect(finding).toMatchObject({
      status: 'fail',
      message: '/var/lib/stella/admin.token: can be read by others, mode 644, and 1 more',
      remedy: { command: "chmod 600 '/var/lib/stella/admin.token'" },
    });
  });

  it('fails for a secret of a callback that this server does not have', async () => {
    const gate = { ...tests, callback: { secret: 'env:STELLA_SECRET_CAB' } };
    const definitions = [makeDefinition({ name: 'prod', gates: [gate] })];
    const asked: string[] = [];
    const read = (isThere: boolean) => (reference: string) => {
      asked.push(reference);
      return Promise.resolve(
        isThere
          ? { isThere, key: new Uint8Array(32) }
          : ({ isThere: false, message: 'there is no such variable' } as const),
      );
    };
    const missing = { read: read(false) } as NonNullable<DoctorDeps['secrets']>;
    expect(await look({ definitions, deps: { secrets: missing } })).toMatchObject({
      status: 'fail',
      message: 'prod/tests: its secret is missing: there is no such variable',
    });
    const there = { read: read(true) } as NonNullable<DoctorDeps['secrets']>;
    expect(await look({ definitions, deps: { secrets: there } })).toMatchObject({ status: 'pass' });
    expect(asked).toEqual(['env:STELLA_SECRET_CAB', 'env:STELLA_SECRET_CAB']);
  });
});
