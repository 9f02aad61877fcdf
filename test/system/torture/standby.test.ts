/**
 * The primary is killed in the middle of work and its standby promoted: the servers find it by themselves. Nothing that was
 * acknowledged is lost when it is synchronous; what an asynchronous one lost is noticed at the targets, which are ahead.
 */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { type FailOverStage, makeFailOverStage } from './fail-over-stage.ts';
import { brokenRules, lostOperations, settle } from './final-checks.ts';
import { invariantViolations } from './invariants.ts';
import { ARTIFACT_TAGS, startLoad } from './load.ts';
import { makeRandom } from './random.ts';

const TIMEOUT_MS = 600_000;
const PER_SECOND = 20;
/** Acknowledged before the primary dies, and again after. */
const OPERATIONS = 30;
const WORK_TIMEOUT_MS = 180_000;
/** Releases that go everywhere and are lost: more fences than the 32 numbers that sequences are logged ahead. */
const LOST_RELEASES = 4;

let stage: FailOverStage | null = null;
afterEach(async () => {
  await stage?.remove();
  stage = null;
});

describe('a standby that is promoted in the middle of work', () => {
  it('has everything that was acknowledged when it is synchronous', { timeout: TIMEOUT_MS }, async () => {
    stage = await makeFailOverStage('synchronous');
    const { primary, standby, witness, servers, environments, layouts, token, watch } = stage;
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = makeRandom(seed);
    const options = { replicas: servers, token, environments, layouts, witness, random, perSecond: PER_SECOND };
    const load = await startLoad(options);
    const answered = (): number => load.operations.filter((one) => one.id !== null).length;
    await untilMore(answered, 0);
    await primary.kill();
    await standby.promote();
    const promotedAtMs = performance.now();
    const before = answered();
    await waitFor(() => answered() > before, { timeoutMs: WORK_TIMEOUT_MS, why: 'the servers have found it' });
    const foundMs = Math.round(performance.now() - promotedAtMs);
    await untilMore(answered, before);
    await load.stop();
    expect(await settle(witness)).toEqual([]);
    console.log(JSON.stringify({ standby: 'synchronous', seed, before, after: answered(), foundMs }));
    expect(await lostOperations(witness, load)).toEqual([]);
    expect(await invariantViolations(standby.url('stella_app'))).toEqual([]);
    expect(await brokenRules(witness)).toEqual([]);
    expect(load.contradictions).toEqual([]);
    expect(watch.stale).toEqual([]);
  });

  it('is behind its targets when it was asynchronous and cut off: they stop', { timeout: TIMEOUT_MS }, async () => {
    stage = await makeFailOverStage('asynchronous');
    const { primary, standby, environments, watch } = stage;
    await release(stage, 1);
    await everywhere(stage, 1);
    await untilCaughtUp(stage);
    await standby.sql("alter system set primary_conninfo = ''");
    await standby.sql('select pg_reload_conf()');
    await waitFor(async () => (await standby.sql('select count(*) from pg_stat_wal_receiver')) === '0', {
      timeoutMs: WORK_TIMEOUT_MS,
      why: 'the standby hears nothing any more',
    });
    for (let number = 2; number < 2 + LOST_RELEASES; number += 1) {
      await release(stage, number);
      await everywhere(stage, number);
    }
    const [name = ''] = environments;
    const lost = currentOf(stage, name);
    await primary.kill();
    await standby.promote();
    await untilServed(stage);
    await release(stage, 2 + LOST_RELEASES);
    const promotion = await promote(stage, name, 2 + LOST_RELEASES);
    const read = () => stage?.client().call('getPromotion', { parameters: { promotion } });
    await waitFor(async () => (await read())?.stop !== null, { timeoutMs: WORK_TIMEOUT_MS, why: 'it is stopped' });
    expect(currentOf(stage, name)).toBe(lost);
    const raised = await stage.client().call('raiseFence', { parameters: { environment: name }, body: {} });
    expect(raised).toMatchObject({ wasStopped: true, seals: [{ isSealed: true }] });
    await waitFor(async () => (await read())?.status === 'completed', {
      timeoutMs: WORK_TIMEOUT_MS,
      why: 'it completes',
    });
    expect(currentOf(stage, name)).not.toBe(lost);
    expect(watch.stale).toEqual([]);
  });
});

async function untilMore(answered: () => number, before: number): Promise<void> {
  const why = `${OPERATIONS} more are acknowledged`;
  await waitFor(() => answered() >= before + OPERATIONS, { timeoutMs: WORK_TIMEOUT_MS, why });
}

async function release({ client, layouts }: FailOverStage, number: number): Promise<void> {
  const tag = ARTIFACT_TAGS[number % ARTIFACT_TAGS.length];
  const components = [{ name: 'web', artifact: `oci-layout:${layouts}:${tag}` }];
  await client().call('createRelease', { body: { name: `r-${number}`, components } });
}

async function promote({ client }: FailOverStage, environment: string, number: number): Promise<string> {
  return (await client().call('createPromotion', { body: { release: `r-${number}`, environment } })).id;
}

async function everywhere(place: FailOverStage, number: number): Promise<void> {
  for (const name of place.environments) await promote(place, name, number);
  const count = async (): Promise<number> =>
    (await place.client().call('countPromotions', { query: { status: 'completed', release: `r-${number}` } })).count;
  await waitFor(async () => (await count()) === place.environments.length, {
    timeoutMs: WORK_TIMEOUT_MS,
    why: `r-${number} runs everywhere`,
  });
}

async function untilCaughtUp({ primary, standby }: FailOverStage): Promise<void> {
  const position = await primary.sql('select pg_current_wal_lsn()');
  const hasAll = async (): Promise<boolean> =>
    (await standby.sql(`select pg_last_wal_replay_lsn() >= '${position}'`)) === 't';
  await waitFor(hasAll, { timeoutMs: WORK_TIMEOUT_MS, why: 'the standby has everything so far' });
}

/** Both servers take writes again: their workers live in the new primary. */
async function untilServed({ witness }: FailOverStage): Promise<void> {
  const rows = async (): Promise<number> =>
    (
      (await witness.ask<{ id: string }>(
        `select id from workers w where state = 'live' and exists (select from pg_stat_activity a
           where a.pid = w.session_pid and a.backend_start = w.backend_start_at)`,
      )) ?? []
    ).length;
  await waitFor(async () => (await rows()) >= 1, { timeoutMs: WORK_TIMEOUT_MS, why: 'a worker lives' });
}

function currentOf({ targetOf }: FailOverStage, name: string): string {
  return readlinkSync(join(targetOf(name), 'current'));
}
