/** What people and workers do to a store in tests: the product's own commands and rules, with answers that a test gives. */
import {
  type Attempt,
  type AttemptResult,
  decide,
  type DecideContext,
  type EnvironmentDefinition,
  isAppError,
  type PersonId,
  type Principal,
  type PromotionId,
  type PromotionSnapshot,
  type Release,
  type RoleBinding,
  type AnySettingKey,
  type WorkerId,
  promisedDigestOf,
} from '@stella/domain';
import { makeApprovalGate, makeDefinition, makeHttpGate, makeRelease, toBindings } from '@stella/testkit';
import { changeSetting } from '../../src/engine/commands/change-setting.ts';
import { commandPromotion, type PromotionWord } from '../../src/engine/commands/command-promotion.ts';
import { createPromotion } from '../../src/engine/commands/create-promotion.ts';
import { takeLock } from '../../src/engine/commands/release-lock.ts';
import type { CommandTransaction } from '../../src/ports/command-store.ts';
import type { Claim, OutcomeRecord, TickResult } from '../../src/ports/engine-store.ts';
import { inOrder, type OpenWorkerSession, type StoreWorld } from './store-world.ts';

export const LEASE_MS = 15_000;
export const ACTOR = { kind: 'system', name: 'test' } as const;

export interface Place {
  readonly world: StoreWorld;
  /** Releases 1, 2, 3 …, in order. */
  readonly releases: readonly Release[];
  /** By subject. */
  readonly people: ReadonlyMap<string, Principal>;
}

const PEOPLE: Readonly<Record<string, readonly RoleBinding[]>> = {
  olga: toBindings(['admin@*']),
  alice: toBindings(['releaser@*', 'approver@*']),
  bob: toBindings(['approver@*']),
  peter: toBindings(['operator@*', 'approver@*']),
};

/** People, releases and environments, in three transactions. */
export async function setUp(
  world: StoreWorld,
  definitions: readonly EnvironmentDefinition[],
  releaseCount = 3,
  componentsOf: (releaseNumber: number) => readonly string[] = () => ['web'],
): Promise<Place> {
  const people = new Map<string, Principal>();
  for (const [subject, bindings] of Object.entries(PEOPLE)) {
    const person = { issuer: 'local', subject, bindings, enrolledBy: null };
    const id = await inTransaction(world, async (tx): Promise<PersonId> => (await tx.insertPerson(person)).id);
    people.set(subject, { actor: { kind: 'person', id, subject }, bindings });
  }
  await inTransaction(world, async (tx) => {
    await tx.lockEnvironments();
    for (const definition of definitions) await tx.writeDefinition(definition, ACTOR);
  });
  const releases: Release[] = [];
  for (let n = 1; n <= releaseCount; n += 1) {
    const { name, components } = makeRelease(n, componentsOf(n));
    releases.push(await inTransaction(world, (tx) => tx.insertRelease({ name, components }, ACTOR)));
  }
  return { world, releases, people };
}

/** The value of `work`, in one transaction without an idempotency key. */
export async function inTransaction<T>(world: StoreWorld, work: (tx: CommandTransaction) => Promise<T>): Promise<T> {
  const { body } = await world.commands.transact(null, async (tx) => ({ status: 200, body: await work(tx) }));
  // What `work` answered.
  return body as T;
}

export function principalOf({ people }: Place, subject: string): Principal {
  const found = people.get(subject);
  if (!found) throw new Error(`nobody is called ${subject}`);
  return found;
}

export function create(place: Place, environment: string, releaseNumber = 1, subject = 'alice'): Promise<PromotionId> {
  const release = place.releases[releaseNumber - 1];
  if (!release) throw new Error(`no release ${releaseNumber}`);
  const wish = { release, environment, priority: 'normal' as const, retryOf: null };
  return inTransaction(place.world, (tx) => createPromotion(tx, place.world, principalOf(place, subject), wish));
}

export function command(place: Place, id: PromotionId, subject: string, word: PromotionWord): Promise<PromotionId> {
  const order = { promotionId: id, version: null, word };
  return inTransaction(place.world, (tx) => commandPromotion(tx, place.world, principalOf(place, subject), order));
}

export async function releaseLockOf(place: Place, id: PromotionId, isForced = true): Promise<void> {
  const { locks } = await snapshotOf(place.world, id);
  const lock = locks.find((one) => one.mode === 'exclusive');
  if (!lock) throw new Error(`${id} holds no lock`);
  const order = { lockId: lock.id, isForced, reason: 'test' };
  await inTransaction(place.world, (tx) => takeLock(tx, place.world, principalOf(place, 'olga'), order));
}

export function set(place: Place, key: AnySettingKey, value: number | null): Promise<void> {
  const order = { key, value, reason: 'test', seenVersion: null };
  return inTransaction(place.world, (tx) => changeSetting(tx, principalOf(place, 'olga'), order));
}

export function snapshotOf(world: StoreWorld, id: PromotionId): Promise<PromotionSnapshot> {
  return inTransaction(world, (tx) => tx.readPromotion(id));
}

export interface Hired extends OpenWorkerSession {
  readonly id: WorkerId;
}

export async function hire(world: StoreWorld): Promise<Hired> {
  const open = await world.control.openSession();
  const id = world.ids.next('wrk');
  await world.engine.registerWorker({
    id,
    session: open.session,
    hostname: 'host-1',
    version: '0.0.0',
    leaseTtlMs: LEASE_MS,
  });
  return { ...open, id };
}

/** The one claim that is due; throws when there is not exactly one. */
export async function claimOne(world: StoreWorld, workerId: WorkerId): Promise<Claim> {
  const { claimed } = await world.engine.takeDueWork(workerId, 10);
  const [claim] = claimed;
  if (!claim || claimed.length !== 1) throw new Error(`${claimed.length} claims instead of one`);
  return claim;
}

/** What `decide` was shown, in an order that every store can keep. */
export interface Shown {
  readonly snapshot: PromotionSnapshot;
  readonly context: Omit<DecideContext, 'ids'>;
  readonly ended: readonly string[];
}

export function tick(
  world: StoreWorld,
  claim: Claim,
  outcomes: readonly OutcomeRecord[] = [],
  see: (shown: Shown) => void = () => undefined,
): Promise<TickResult> {
  return world.engine.tick(claim, outcomes, (snapshot, context, ended) => {
    const { ids: _own, ...rest } = context;
    see({ snapshot: inOrder(snapshot), context: rest, ended });
    return decide(snapshot, context, ACTOR, ended);
  });
}

/** Ticks as its worker would, every effect ending well, until it waits, ends, or `until` says so. */
export async function play(
  world: StoreWorld,
  claim: Claim,
  until: (snapshot: PromotionSnapshot) => boolean = () => false,
): Promise<PromotionSnapshot> {
  let current = claim;
  let outcomes: readonly OutcomeRecord[] = [];
  for (let count = 0; count < TICKS_MAX; count += 1) {
    const result = await tick(world, current, outcomes);
    if (result.kind !== 'written') throw new Error('the claim was lost');
    current = afterTick(current);
    const snapshot = await snapshotOf(world, claim.promotionId);
    const { effects, promotion } = result.decision;
    if (effects.length === 0 || promotion.workerId === null || until(snapshot)) return snapshot;
    outcomes = effects.map((attempt) => ({ operationId: attempt.operationId, result: goodResult(snapshot, attempt) }));
  }
  throw new Error('it goes in a circle');
}

/** Playing a promotion to its end takes fewer. */
const TICKS_MAX = 40;

function afterTick(claim: Claim): Claim {
  return { ...claim, isTakeover: false, failureCount: 0 };
}

export function goodResult(
  { release, base, promotion }: PromotionSnapshot,
  attempt: Attempt,
): Omit<AttemptResult, 'endedAtMs'> {
  const target = promotion.definition.targets.find((one) => one.name === attempt.subject);
  const isBack = attempt.purpose === 'rollback' || attempt.purpose === 'rollback_verify';
  const digest = target ? promisedDigestOf(target, isBack ? base : release) : null;
  const outcome = attempt.purpose === 'gate' || attempt.purpose === 'judge' ? 'passed' : 'succeeded';
  const sealed = attempt.purpose === 'seal' ? { operationId: null, outcome: null } : null;
  return { outcome, code: '', message: '', output: '', digest, sealed };
}

/** Asks an http gate. */
export const GATED = makeDefinition({ name: 'gated', gates: [makeHttpGate()] });
/** Waits for a person. */
export const SIGNED = makeDefinition({ name: 'signed', gates: [makeApprovalGate()] });

/** Two environments, one worker, one promotion in `prod` that is claimed. */
export async function begin(
  world: StoreWorld,
): Promise<{ place: Place; worker: Hired; id: PromotionId; claim: Claim }> {
  const place = await setUp(world, [makeDefinition(), GATED]);
  const worker = await hire(world);
  const id = await create(place, 'prod');
  return { place, worker, id, claim: await claimOne(world, worker.id) };
}

/** The one row of that id. */
export async function dumpOf(world: StoreWorld, table: string, id: string): Promise<Readonly<Record<string, unknown>>> {
  const row = (await world.control.dump())[table]?.find((one) => one['id'] === id);
  if (!row) throw new Error(`no ${id} in ${table}`);
  return row;
}

/** Why the call was refused, as `codeOf`. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return codeOf(error);
  }
  throw new Error('it was not refused');
}

/** For tests that look at what a store refused: SQLSTATE, or the code of our own error. */
export function codeOf(error: unknown): string {
  if (isAppError(error)) return error.code;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : String(error);
}

/** As a tick that has read, and has not written yet. */
export function whileHeld({ world }: Place, id: PromotionId, work: () => Promise<void>): Promise<void> {
  return inTransaction(world, async (tx) => {
    await tx.lockPromotion(id);
    await work();
  });
}

/** Until it is looked at again. */
export async function sleepsMs({ world }: Place, id: PromotionId): Promise<number> {
  const { promotion } = await snapshotOf(world, id);
  return Math.max(0, (promotion.nextActionAtMs ?? 0) - world.control.nowMs());
}
