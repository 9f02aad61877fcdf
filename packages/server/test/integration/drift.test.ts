/** Targets are looked at between promotions: what somebody changed by hand is told everywhere, until what was promised is back. */
import { rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer } from '@stella/contract/client';
import { waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyEnvironments,
  ask,
  createReleases,
  startTestServer,
  type TestServer,
  untilStatus,
} from './http-fixture.ts';

const TIMEOUT_MS = 60_000;

let test: TestServer;
let digest = '';
beforeAll(async () => {
  test = await startTestServer({ STELLA_OBSERVE_EVERY: '1s' });
  await createReleases(test, 2);
  await applyEnvironments(test, [{ name: 'prod' }]);
  const { id } = await test.admin.call('createPromotion', { body: { release: 'shop-1', environment: 'prod' } });
  await untilStatus(test.admin, id, 'completed');
  const { components } = await test.admin.call('getRelease', { parameters: { release: 'shop-1' } });
  digest = components[0]?.digest ?? '';
});
afterAll(() => test.remove());

type Target = Answer<'getEnvironmentStatus'>['targets'][number];

async function targetNow(): Promise<Target> {
  const { targets } = await test.admin.call('getEnvironmentStatus', { parameters: { environment: 'prod' } });
  const [target] = targets;
  if (!target) throw new Error('there is no target');
  return target;
}

async function untilSeen(why: string, isThere: (target: Target) => boolean): Promise<Target> {
  await waitFor(async () => isThere(await targetNow()), { timeoutMs: TIMEOUT_MS, why });
  return targetNow();
}

const untilDrifted = (): Promise<Target> => untilSeen('it drifts', ({ state }) => state === 'drifted');
const untilWell = (): Promise<Target> =>
  untilSeen('it is well', ({ state, observation }) => state === 'as_promised' && observation?.driftSince === null);

async function doctor(): Promise<Answer<'runDoctor'>['items'][number] | undefined> {
  const { items } = await test.admin.call('runDoctor', { query: { check: 'check.targets.drift' } });
  return items[0];
}

async function metric(name: string): Promise<string | undefined> {
  const { body } = await ask(test.server, '/metrics');
  const found = new RegExp(`^${name}\\{environment="prod"\\} (.+)$`, 'm').exec(String(body['text']));
  return found?.[1];
}

/** Of all events up to so many of drift. */
async function driftEvents(count: number): Promise<readonly string[]> {
  const stop = new AbortController();
  const found: string[] = [];
  for await (const { data } of test.admin.stream({ query: { after: 0 }, signal: stop.signal })) {
    if (data.type.startsWith('drift.')) found.push(data.type);
    if (found.length === count) break;
  }
  stop.abort();
  return found;
}

const changeByHand = (text = 'by hand'): Promise<void> =>
  writeFile(join(test.place.targets, 'prod', 'current', 'index.html'), text);

describe('a target that somebody has changed', () => {
  it('is looked at without any promotion, and well at first', async () => {
    const target = await untilSeen('it was looked at', ({ observation }) => observation !== null);
    expect(target).toMatchObject({ state: 'as_promised', seen: digest, observation: { code: '', unseenSince: null } });
    expect(await doctor()).toMatchObject({ status: 'pass' });
    expect([await metric('stella_target_drift'), await metric('stella_target_unseen')]).toEqual(['0', '0']);
    expect(Number(await metric('stella_target_look_age_seconds'))).toBeGreaterThanOrEqual(0);
  });

  it('is told as drifted by status, metric and doctor, whose command brings back what was promised', async () => {
    await changeByHand();
    const target = await untilDrifted();
    expect(target).toMatchObject({ promised: digest, seen: null, observation: { unseenSince: null } });
    expect(target.message).toContain('index.html');
    expect(await metric('stella_target_drift')).toBe('1');
    const check = await doctor();
    expect(check).toMatchObject({
      status: 'fail',
      message: 'web of prod runs other than what was verified there',
      remedy: { command: `stella deploy --env prod --artifact ${digest}` },
    });
    const { id } = await test.admin.call('deployArtifact', { body: { environment: 'prod', artifact: digest } });
    await untilStatus(test.admin, id, 'completed');
    expect(await untilWell()).toMatchObject({ seen: digest });
    await waitFor(async () => (await metric('stella_target_drift')) === '0', {
      timeoutMs: TIMEOUT_MS,
      why: 'no drift',
    });
    expect(await doctor()).toMatchObject({ status: 'pass' });
  });

  it('is told once when it begins and once when another release ends it, however often it is looked at', async () => {
    await changeByHand('again');
    const { observation } = await untilDrifted();
    await untilSeen('it was looked at once more', (target) => target.observation?.at !== observation?.at);
    const { components } = await test.admin.call('getRelease', { parameters: { release: 'shop-2' } });
    const body = { environment: 'prod', artifact: components[0]?.digest ?? '' };
    const { id } = await test.admin.call('deployArtifact', { body });
    await untilStatus(test.admin, id, 'completed');
    await untilWell();
    expect(await driftEvents(4)).toEqual(['drift.began', 'drift.ended', 'drift.began', 'drift.ended']);
  });

  it('is told as not seen, not as drifted, while it cannot be looked at', async () => {
    const setMode = (value: string | null): Promise<unknown> =>
      test.admin.call('changeSetting', { parameters: { setting: 'observe.mode' }, body: { value } });
    const place = join(test.place.targets, 'prod');
    const before = await targetNow();
    await untilSeen('it was looked at just now', ({ observation }) => observation?.at !== before.observation?.at);
    // A directory that is missing for a moment would be drift, and no look is under way now.
    await setMode('off');
    await rename(place, `${place}-away`);
    await symlink(place, place);
    await setMode(null);
    const lost = await untilSeen('it is not seen', ({ observation }) => (observation?.unseenSince ?? null) !== null);
    expect(lost.observation?.driftSince).toBeNull();
    expect(await doctor()).toMatchObject({
      status: 'warn',
      remedy: { command: 'stella orch connectivity --target prod' },
    });
    expect([await metric('stella_target_drift'), await metric('stella_target_unseen')]).toEqual(['0', '1']);
  });
});

/** Of `live`; past it whoever soaks in `staging` would be through, were it not for what looks find there. */
const SOAK_MS = 5_000;

describe('a soak where looks find that a target has drifted', () => {
  const soak = (duration: string): readonly string[] => [`- { name: soak, kind: soak, duration: ${duration} }`];
  const promote = async (environment: string): Promise<string> =>
    (await test.admin.call('createPromotion', { body: { release: 'shop-1', environment } })).id;
  const read = (promotion: string) => test.admin.call('getPromotion', { parameters: { promotion } });
  const untilBroken = (promotion: string): Promise<void> =>
    waitFor(async () => (await read(promotion)).gates[0]?.message.includes('the soak in staging was broken') ?? false, {
      timeoutMs: TIMEOUT_MS,
      why: 'its soak is broken',
    });

  it('waits past its time and says why, and begins anew when the release was brought there again, as the cause tells', async () => {
    await applyEnvironments(test, [
      { name: 'staging' },
      { name: 'hall', promotesFrom: ['staging'], gates: soak('1h') },
      { name: 'live', promotesFrom: ['staging'], gates: soak(`${SOAK_MS / 1_000}s`) },
    ]);
    await untilStatus(test.admin, await promote('staging'), 'completed');
    const long = await promote('hall');
    await untilStatus(test.admin, long, 'scheduled');
    await writeFile(join(test.place.targets, 'staging', 'current', 'index.html'), 'by hand');
    // It would look again in an hour.
    await untilBroken(long);
    const short = await promote('live');
    await untilBroken(short);
    expect(await read(short)).toMatchObject({ status: 'scheduled', gates: [{ dueAt: null }] });
    const diagnosis = await test.admin.call('diagnosePromotion', { parameters: { promotion: short } });
    expect(diagnosis.causes[0]).toMatchObject({ code: 'soak.broken' });
    expect(diagnosis.causes[0]?.facts[0]?.value).toMatch(/^target web runs nothing whole instead of sha256:/);
    const command = 'stella promotion create --release shop-1 --to staging';
    expect(diagnosis.causes[0]?.remedies[0]).toMatchObject({ command });
    const again = await promote('staging');
    await untilStatus(test.admin, again, 'completed');
    const soundMs = Date.parse((await read(again)).endedAt ?? '');
    await untilStatus(test.admin, short, 'completed');
    const { items } = await test.admin.call('tracePromotion', { parameters: { promotion: short } });
    const verdict = items.find(({ type }) => type === 'gate.verdict');
    expect(Date.parse(verdict?.at ?? '')).toBeGreaterThanOrEqual(soundMs + SOAK_MS);
    await waitFor(async () => Date.parse((await read(long)).gates[0]?.dueAt ?? '') === soundMs + 3_600_000, {
      timeoutMs: TIMEOUT_MS,
      why: 'the long soak has begun anew',
    });
    await expect(promote('staging')).rejects.toMatchObject({ code: 'promotion.same_as_base' });
  });
});
