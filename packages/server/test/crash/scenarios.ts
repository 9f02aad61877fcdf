/**
 * What a server is killed in: each scenario is played to its end, however often the server dies meanwhile, and checks that
 * nothing was lost and nothing was done twice. `strike` arms the death.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer } from '@stella/contract/client';
import { isAppError } from '@stella/domain';
import { waitFor } from '@stella/testkit';
import { expect } from 'vitest';
import { checkTraces, type CrashStage, environment, type EnvironmentWish } from './crash-stage.ts';

const WAIT_MS = 90_000;

export interface Play {
  readonly stage: CrashStage;
  /** Of this play: names are made from it. */
  readonly number: number;
  /** Token of a person who may approve everywhere. */
  readonly approver: string;
  readonly strike: () => Promise<void>;
  /** Deaths at start, in place of `strike`. */
  readonly strikeAtStart: () => Promise<void>;
  /** As `strike`, one death later: the first is in the middle of a deploy. */
  readonly strikeAfterDeploy: () => Promise<void>;
}

export type Scenario = (play: Play) => Promise<void>;

/** Through gate, approval, deploy and verify. */
export const complete: Scenario = async (play) => {
  const { stage, strike } = play;
  await strike();
  const name = await applyEnvironment(play, { approvals: 1 });
  const id = await promote(play, name, 'odd');
  await approve(play, id);
  await stage.until(id, 'completed');
  await checkTraces(stage, name, id);
  expect(await readFile(join(stage.place.targets, name, 'current', 'index.html'), 'utf8')).toBe('<h1>odd</h1>');
  const { items } = await stage.caller()('listPromotions', { query: { environment: name } });
  expect(items.map((one) => one.id)).toEqual([id]);
};

/** A gate that calls back, whoever has asked it and whoever takes the call. */
export const callBack: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { isCalledBack: true });
  await strike();
  const id = await promote(play, name, 'odd');
  await stage.until(id, 'completed');
  await checkTraces(stage, name, id);
  const { items } = await stage.caller()('listGateRuns', { parameters: { promotion: id } });
  expect(items).toMatchObject([{ state: 'passed', attempts: [{ outcome: 'passed' }] }]);
};

/** Killed in the middle of a deploy; whoever takes over dies too. */
export const takeOver: Scenario = async (play) => {
  const { stage, strikeAfterDeploy } = play;
  const name = await applyEnvironment(play, {});
  await strikeAfterDeploy();
  const id = await promote(play, name, 'odd');
  await stage.until(id, 'completed');
  await checkTraces(stage, name, id);
};

/** What comes second is not healthy, and goes back to what came first. */
export const rollBack: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { hasHealth: true });
  const first = await promote(play, name, 'odd');
  await stage.until(first, 'completed');
  await strike();
  const second = await promote(play, name, 'even');
  await stage.until(second, 'rolled_back');
  await checkTraces(stage, name, second);
  expect(await readFile(join(stage.place.targets, name, 'current', 'index.html'), 'utf8')).toBe('<h1>odd</h1>');
};

/** Release and promotion are made together and once, and run what was asked for. */
export const deployOne: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, {});
  const first = await promote(play, name, 'odd');
  await stage.until(first, 'completed');
  const call = stage.caller();
  await strike();
  const body = { environment: name, artifact: `oci-layout:${stage.place.layouts}:even` };
  const { id, release } = await call('deployArtifact', { body });
  await stage.until(id, 'completed');
  await checkTraces(stage, name, id);
  expect(await readFile(join(stage.place.targets, name, 'current', 'index.html'), 'utf8')).toBe('<h1>even</h1>');
  const { items } = await call('listPromotions', { query: { environment: name } });
  expect(items.map((one) => one.id).sort()).toEqual([first, id].sort());
  const { items: releases } = await call('listReleases', { query: { limit: 200 } });
  expect(releases.filter((one) => one.name.startsWith(`${name}-`)).map((one) => one.id)).toEqual([release.id]);
};

/** What a person takes away is taken away once: a repeat does not go one further back. */
export const goBack: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, {});
  const made: string[] = [];
  for (const tag of ['odd', 'even'] as const) {
    const id = await promote(play, name, tag);
    await stage.until(id, 'completed');
    made.push(id);
  }
  const call = stage.caller();
  await strike();
  const { id } = await call('startRollback', { body: { environment: name, reason: 'it is even' } });
  await stage.until(id, 'completed');
  await checkTraces(stage, name, id);
  expect(await readFile(join(stage.place.targets, name, 'current', 'index.html'), 'utf8')).toBe('<h1>odd</h1>');
  const { items } = await call('listPromotions', { query: { environment: name } });
  expect(items.map((one) => one.id).sort()).toEqual([...made, id].sort());
};

/** The target holds a fence of an epoch that the database does not know: a person raises the fence above it. */
export const raiseFence: Scenario = async (play) => {
  const { stage, strike } = play;
  await stage.asOwner('update installation set epoch = epoch + 5');
  const name = await applyEnvironment(play, {});
  const first = await promote(play, name, 'odd');
  await stage.until(first, 'completed');
  await stage.asOwner('update installation set epoch = epoch - 5');
  await strike();
  const raised = await stage.caller()('raiseFence', { parameters: { environment: name }, body: {} });
  expect(raised.seals).toMatchObject([{ target: 'web', isSealed: true }]);
  const second = await promote(play, name, 'even');
  await stage.until(second, 'completed');
  await checkTraces(stage, name, second);
};

/** The database says that it was another one before: the next fence is of a new epoch. */
export const replaceDatabase: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { approvals: 1 });
  const first = await promote(play, name, 'odd');
  await approve(play, first);
  await stage.until(first, 'completed');
  const second = await promote(play, name, 'even');
  await stage.until(second, 'pending_approval');
  await stage.asOwner('update installation set timeline = timeline + 1000');
  await strike();
  await approve(play, second);
  await stage.until(second, 'completed');
  await checkTraces(stage, name, second);
};

/** Somebody else holds the row of one that sleeps when it should be woken: it is woken once more after the commit. */
export const wakeSkipped: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { approvals: 1 });
  const first = await promote(play, name, 'odd');
  const sleeping = await promote(play, name, 'even');
  await stage.until(sleeping, 'pending_approval');
  const letGo = await stage.hold(sleeping);
  try {
    await strike();
    await approve(play, first);
    await untilStruck(stage);
  } finally {
    await letGo();
  }
  await stage.until(first, 'completed');
  await stage.caller()('cancelPromotion', { parameters: { promotion: sleeping }, body: {} });
  await stage.until(sleeping, 'cancelled');
  await checkTraces(stage, name, first);
};

/** A lock that an ended promotion still has is found by the auditor, whenever he dies, and told once. */
export const audit: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, {});
  const id = await promote(play, name, 'odd');
  await stage.until(id, 'completed');
  const write = (text: string): Promise<unknown> =>
    stage.asOwner(`alter table locks disable trigger user; ${text}; alter table locks enable trigger user`);
  await write(`update locks set released_at = null where promotion_id = '${id}'`);
  await strike();
  await stage.asOwner(`update audit_progress set live_due_at = now(), sweep_due_at = now(), sweep_part = 'promotions',
    sweep_after = ''`);
  await untilStruck(stage, async () => {
    await stage.asOwner('update audit_progress set sweep_due_at = now()');
  });
  const find = `do $$ begin if (select count(*) from invariant_violations) = 0 then raise 'none'; end if; end $$`;
  const isFound = (): Promise<boolean> =>
    stage.asOwner(find).then(
      () => true,
      () => false,
    );
  await waitFor(isFound, { timeoutMs: WAIT_MS, why: 'it is found' });
  await write(`update locks set released_at = now() where promotion_id = '${id}'`);
  await stage.asOwner('delete from invariant_violations');
};

/** A newer release comes while the older one still waits for a person. */
export const overtake: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { approvals: 1, queue: 'latest' });
  const older = await promote(play, name, 'odd');
  await stage.until(older, 'pending_approval');
  await strike();
  const newer = await promote(play, name, 'even');
  await stage.until(older, 'superseded');
  await approve(play, newer);
  await stage.until(newer, 'completed');
  await checkTraces(stage, name, newer);
};

/** Two persons step around the approval; it is owed, and given after the completion. */
export const skip: Scenario = async (play) => {
  const { stage, strike, approver } = play;
  const name = await applyEnvironment(play, { approvals: 1, isSkippable: true });
  const promotion = await promote(play, name, 'odd');
  await stage.until(promotion, 'pending_approval');
  await strike();
  const call = stage.caller();
  await call('skipGate', { parameters: { promotion, gate: 'sign' }, body: { reason: 'everybody is away' } });
  const approvals = stage.caller(approver);
  await approvals('approvePromotion', { parameters: { promotion }, body: { skip: 'sign' } });
  await stage.until(promotion, 'completed');
  await approvals('approvePromotion', { parameters: { promotion }, body: { gate: 'sign' } });
  const read = () => call('getPromotion', { parameters: { promotion } });
  await waitFor(async () => (await read()).debts[0]?.state === 'paid', { timeoutMs: WAIT_MS, why: 'the debt is paid' });
  const { debts, gates } = await read();
  expect(debts).toHaveLength(1);
  expect(gates.flatMap((run) => run.skips)).toMatchObject([{ state: 'used' }]);
  await checkTraces(stage, name, promotion);
};

export const cancel: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { approvals: 1 });
  const promotion = await promote(play, name, 'odd');
  await stage.until(promotion, 'pending_approval');
  await strike();
  await stage.caller()('cancelPromotion', { parameters: { promotion }, body: {} });
  await stage.until(promotion, 'cancelled');
  await checkTraces(stage, name, promotion);
};

/** Frozen while it waits for its approval; it goes on when somebody unfreezes. */
export const freeze: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { approvals: 1 });
  const promotion = await promote(play, name, 'odd');
  await stage.until(promotion, 'pending_approval');
  await strike();
  const parameters = { environment: name };
  const frozen = await stage.caller()('freezeEnvironment', { parameters, body: { reason: 'on air' } });
  expect(frozen).toMatchObject({ version: 1, freeze: { until: null } });
  await approve(play, promotion);
  await stage.until(promotion, 'scheduled');
  await stage.caller()('unfreezeEnvironment', { parameters, body: {} });
  await stage.until(promotion, 'completed');
  await checkTraces(stage, name, promotion);
};

/** Where nobody may start any more somebody asks for another place, and gets it. */
export const raiseQuota: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, {});
  const parameters = { environment: name };
  await stage.caller()('changeQuotas', { parameters, body: { limits: { perDay: 1 } } });
  const first = await promote(play, name, 'odd');
  await stage.until(first, 'completed');
  const second = await promote(play, name, 'even');
  await stage.until(second, 'queued');
  await strike();
  const wish = { name: 'perDay', wanted: 2, reason: 'one more' } as const;
  expect(await stage.caller()('requestQuota', { parameters, body: wish })).toMatchObject({ request: { wanted: 2 } });
  await stage.caller()('changeQuotas', { parameters, body: { limits: { perDay: 2 } } });
  await stage.until(second, 'completed');
  await checkTraces(stage, name, second);
};

/** The lock is taken from a promotion that waits for its target to become healthy. */
export const releaseByForce: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { hasHealth: true });
  const promotion = await promote(play, name, 'even');
  await waitFor(async () => (await stage.caller()('getPromotion', { parameters: { promotion } })).step === 'verify', {
    timeoutMs: WAIT_MS,
    why: 'it verifies',
  });
  const { items } = await stage.caller()('listLocks', { query: { environment: name } });
  const lock = items.find((one) => one.resource === `environment:${name}`)?.id ?? '';
  await strike();
  const body = { force: true, reason: 'crash test' };
  const released = await stage.caller()('releaseLock', { parameters: { lock }, body });
  expect(released.seals).toMatchObject([{ target: 'web', isSealed: true }]);
  await stage.until(promotion, 'failed');
  await checkTraces(stage, name, promotion);
};

/** No worker can write that it came to its next step. */
export const setAside: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { approvals: 1 });
  const promotion = await promote(play, name, 'odd');
  await stage.until(promotion, 'pending_approval');
  await stage.asOwner(`create or replace function poison() returns trigger language plpgsql as
      $$ begin raise exception 'a check that nothing passes'; end $$;
    create trigger poison before insert on events for each row
      when (new.promotion_id = '${promotion}' and new.type = 'promotion.step_changed') execute function poison()`);
  await strike();
  await approve(play, promotion);
  const read = () => stage.caller()('getPromotion', { parameters: { promotion } });
  await waitFor(async () => (await read()).setAside !== null, { timeoutMs: WAIT_MS, why: 'it is set aside' });
  await untilStruck(stage);
  await stage.asOwner('drop trigger poison on events');
  await stage.caller()('retryPromotion', { parameters: { promotion }, body: {} });
  await stage.until(promotion, 'completed');
  await checkTraces(stage, name, promotion);
};

/** At the start of a server, or by itself soon after. */
export const start: Scenario = async (play) => {
  const { stage, strikeAtStart } = play;
  await strikeAtStart();
  await untilStruck(stage);
  expect(await stage.caller()('getVersion')).toHaveProperty('version');
};

/** While it drains, with a promotion that waits in the middle of its way. */
export const drain: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, { approvals: 1 });
  const id = await promote(play, name, 'odd');
  await stage.until(id, 'pending_approval');
  await strike();
  await stage.restart();
  await approve(play, id);
  await stage.until(id, 'completed');
  await checkTraces(stage, name, id);
};

export const changeSettings: Scenario = async ({ stage, strike }) => {
  const call = stage.caller();
  const set = async (value: string | null): Promise<void> => {
    await call('changeSetting', { parameters: { setting: 'locks.timeout' }, body: { value } });
  };
  const { items: before } = await call('listSettingChanges', { parameters: { setting: 'locks.timeout' } });
  await strike();
  await set('45s');
  await set(null);
  const { items: after } = await call('listSettingChanges', { parameters: { setting: 'locks.timeout' } });
  expect(after).toHaveLength(before.length + 2);
};

export const enrol: Scenario = async ({ stage, strike, number }) => {
  const admin = stage.caller();
  await strike();
  const { id, code } = await admin('createPerson', {
    body: { subject: `ana-${number}`, roles: ['approver@*', 'viewer@*'] },
  });
  const { token } = await stage.caller('')('login', { body: { code } });
  expect(await stage.caller(token)('whoami')).toMatchObject({ person: id });
  const minted = await admin('mintToken', {
    body: { name: `ci-${number}`, automation: `robot-${number}`, roles: ['operator@dev'] },
  });
  expect(await stage.caller(minted.token)('whoami')).toMatchObject({ actor: { kind: 'automation' } });
  await admin('revokeToken', { parameters: { token: minted.id }, body: {} });
  const { items } = await admin('listTokens', { query: { limit: 200 } });
  expect(items.filter((one) => one.owner === `robot-${number}`)).toHaveLength(1);
};

/** Every other environment goes. */
export const removeEnvironments: Scenario = async (play) => {
  const { stage, strike, number } = play;
  const name = await applyEnvironment(play, {});
  const text = await environment(stage, { name: `only-${number}` });
  await strike();
  await stage.caller()('applyDefinitions', { body: { documents: [{ file: 'only.yaml', text }], prune: true } });
  const { items } = await stage.caller()('listEnvironments');
  expect(items.map((one) => one.name)).toEqual([`only-${number}`]);
  expect(items.map((one) => one.name)).not.toContain(name);
};

/** Who hears of an approval hears of it whatever dies, with the same id each time, and again when a person says so. */
export const tellPeople: Scenario = async (play) => {
  const { stage, strike, number } = play;
  const name = await applyEnvironment(play, { approvals: 1 });
  const call = stage.caller();
  await strike();
  await applyChannel(play, 'undecided');
  const id = await promote(play, name, 'odd');
  await stage.until(id, 'pending_approval');
  const isTried = async (): Promise<boolean> => (await toldOf(play)).some(({ attempts }) => attempts > 0);
  await waitFor(isTried, { timeoutMs: WAIT_MS, why: 'the notice was tried' });
  const told = await toldOf(play);
  expect(told).toHaveLength(1);
  const delivery = told[0]?.id ?? '';
  await applyChannel(play, 'tests');
  await call('retryDelivery', { parameters: { delivery }, body: {} }).catch(onlyWhenDelivered);
  await waitFor(() => isAllDelivered(play), { timeoutMs: WAIT_MS, why: 'it is delivered' });
  expect(stage.asked).toContain(delivery);
  await call('cancelPromotion', { parameters: { promotion: id }, body: {} });
  await stage.until(id, 'cancelled');
  // The channel goes, for the file does not name it.
  const text = await environment(stage, { name, approvals: 1 });
  await call('applyDefinitions', { body: { documents: [{ file: 'only.yaml', text }], pruneKinds: ['Notification'] } });
  expect((await call('listChannels')).items.map((one) => one.name)).not.toContain(`room-${number}`);
};

/** A declaration counts or does not, whatever dies, and goes as a whole. */
export const declareRegistry: Scenario = async ({ stage, strike, number }) => {
  const call = stage.caller();
  const host = `registry-${number}.example`;
  const text = `kind: Registry\nhost: ${host}\nusername: ci\npassword: env:STELLA_SECRET_TESTS\n`;
  await strike();
  await call('applyDefinitions', { body: { documents: [{ file: 'registry.yaml', text }] } });
  expect((await call('listRegistries')).items).toMatchObject([{ host, version: 1, username: 'ci' }]);
  await call('applyDefinitions', { body: { documents: [], pruneKinds: ['Registry'] } });
  expect((await call('listRegistries')).items).toEqual([]);
};

/** What was delivered long ago is removed as the server starts. */
export const forgetNotices: Scenario = async (play) => {
  const { stage, strikeAtStart, number } = play;
  const name = await applyEnvironment(play, { approvals: 1 });
  await applyChannel(play, 'tests');
  const id = await promote(play, name, 'odd');
  await stage.until(id, 'pending_approval');
  const isDelivered = async (): Promise<boolean> => (await toldOf(play)).length > 0 && (await isAllDelivered(play));
  await waitFor(isDelivered, { timeoutMs: WAIT_MS, why: 'it is delivered' });
  await stage.asOwner(
    `update notifications set ended_at = now() - interval '90 days' where channel = 'room-${number}'`,
  );
  await strikeAtStart();
  await waitFor(async () => (await toldOf(play)).length === 0, { timeoutMs: WAIT_MS, why: 'it is removed' });
  // A promotion under way would keep its environment from being removed.
  await stage.caller()('cancelPromotion', { parameters: { promotion: id }, body: {} });
  await stage.until(id, 'cancelled');
};

function applyChannel({ stage, number }: Play, path: string): Promise<unknown> {
  const text = `kind: Notification
name: room-${number}
events: [approval.pending]
environments: [place-${number}]
webhook: { url: "${stage.outside}/${path}", secret: env:STELLA_SECRET_TESTS, timeout: 1s }
`;
  return stage.caller()('applyDefinitions', { body: { documents: [{ file: 'room.yaml', text }] } });
}

async function toldOf({ stage, number }: Play): Promise<readonly Answer<'listDeliveries'>['items'][number][]> {
  return (await stage.caller()('listDeliveries', { query: { channel: `room-${number}` } })).items;
}

async function isAllDelivered(play: Play): Promise<boolean> {
  return (await toldOf(play)).every(({ state }) => state === 'delivered');
}

/** Its next attempt may have been due before the order came. */
function onlyWhenDelivered(error: unknown): void {
  if (!isAppError(error, 'delivery.delivered')) throw error;
}

/** `hasten` brings nearer what would come by itself, in less than the wait only on a quiet machine. */
export async function untilStruck(stage: CrashStage, hasten?: () => Promise<void>): Promise<void> {
  const isStruck = async (): Promise<boolean> => {
    if (stage.deathCount() === 0) await hasten?.();
    return stage.deathCount() > 0;
  };
  await waitFor(isStruck, { timeoutMs: WAIT_MS, why: 'the server was killed where it was told to' });
}

export async function applyEnvironment({ stage, number }: Play, wish: Omit<EnvironmentWish, 'name'>): Promise<string> {
  const name = `place-${number}`;
  const text = await environment(stage, { name, ...wish });
  await stage.caller()('applyDefinitions', { body: { documents: [{ file: 'place.yaml', text }] } });
  return name;
}

export async function promote({ stage, number }: Play, name: string, tag: 'odd' | 'even'): Promise<string> {
  const call = stage.caller();
  const release = `shop-${number}-${tag}`;
  const artifact = `oci-layout:${stage.place.layouts}:${tag}`;
  await call('createRelease', { body: { name: release, components: [{ name: 'web', artifact }] } });
  return (await call('createPromotion', { body: { release, environment: name } })).id;
}

async function approve({ stage, approver }: Play, promotion: string): Promise<void> {
  await stage.until(promotion, 'pending_approval');
  await stage.caller(approver)('approvePromotion', { parameters: { promotion }, body: {} });
}
