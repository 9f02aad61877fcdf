/** The engine's port on PostgreSQL. One transaction per method; the database's clock throughout. */
import type { DecideContext, Decision, IdSource, PromotionSnapshot, Settings } from '@stella/domain';
import type { Claim, DecideCallback, EngineStore, OutcomeRecord, TickResult } from '../ports/engine-store.ts';
import { acknowledgedIn, insertLateOutcomes, insertOutcomes, pruneOutputs } from './attempt-rows.ts';
import { insertAcknowledgements, pruneCallbacks } from './callback-rows.ts';
import { autocommit, type Database, pipelined, query, type Session, type Statement, transact } from './connection.ts';
import { lockEnvironment, readGuard } from './guard.ts';
import { transactAndWake } from './owed-wakes.ts';
import { pruneEvents, pruneIdempotencyKeys } from './retention.ts';
import type { ImmutableRows } from './immutable-rows.ts';
import { checkInstallation, renewing } from './installation.ts';
import { overlay, SET_SETTINGS } from './setting-rows.ts';
import { setAsideRow } from './set-aside.ts';
import { lockPromotionRow, readSnapshot, readTimedSnapshot } from './snapshot.ts';
import { buryWorkers, insertWorker, type NewWorker, renewWorker, retireWorkerRow, takeDueRows } from './worker-rows.ts';
import { writeDecision } from './write-decision.ts';

export interface StoreOptions {
  readonly ids: IdSource;
  readonly settings: Settings;
  readonly cache: ImmutableRows;
}

/**
 * `control`: connections of the worker's own loop, so that a lease is renewed and a dead worker noticed however many
 * promotions wait for a connection (safety L2); without it those of the others.
 */
export function makeEngineStore(database: Database, options: StoreOptions, control: Database = database): EngineStore {
  return {
    registerWorker: (worker) => renewing(control, () => transact(control, (session) => register(session, worker))),
    renewLease: (id, leaseTtlMs) => autocommit(control, (session) => renewWorker(session, id, leaseTtlMs)),
    retireWorker: (id) => transact(control, (session) => retireWorkerRow(session, id)),
    buryDeadWorkers: (id) => autocommit(control, (session) => buryWorkers(session, id)),
    takeDueWork: (id, limit, owned) => autocommit(control, (session) => takeDueRows(session, id, limit, owned)),
    tick: (claim, outcomes, decide) => tick(database, options, { claim, outcomes, decide }),
    setAside: (claim, failure, actor) => transact(database, (session) => setAsideRow(session, claim, failure, actor)),
    prune: (limit) => prune(database, options.settings, limit),
  };
}

/** The first thing that a worker does after a fail-over: what it finds replaced is noticed before anything is due. */
async function register(session: Session, worker: NewWorker): Promise<void> {
  await checkInstallation(session);
  await insertWorker(session, worker);
}

interface TickInput {
  readonly claim: Claim;
  readonly outcomes: readonly OutcomeRecord[];
  readonly decide: DecideCallback;
}

/** Thrown inside the transaction, so that nothing of it stays. */
class ClaimLost extends Error {}

async function tick(database: Database, options: StoreOptions, input: TickInput): Promise<TickResult> {
  try {
    return await renewing(database, () =>
      transactAndWake(database, (session, owed) => tickInside(session, options, { ...input, owed })),
    );
  } catch (error) {
    if (!(error instanceof ClaimLost)) throw error;
    await transact(database, (session) => insertLateOutcomes(session, input.outcomes));
    return { kind: 'claim_lost' };
  }
}

async function tickInside(
  session: Session,
  { ids, settings, cache }: StoreOptions,
  { claim, outcomes, decide, owed }: TickInput & { readonly owed: string[] },
): Promise<TickResult> {
  const id = claim.promotionId;
  // One round trip. The clock is read by the last of them: after the lock was got, and not before an outcome ended.
  const locking = pipelined(lockPromotionRow(session, id));
  const recording = pipelined(insertOutcomes(session, outcomes));
  const acknowledging = pipelined(insertAcknowledgements(session, acknowledgedIn(outcomes)));
  const reading = pipelined(readTimedSnapshot(session, cache, settings, id));
  const locked = await locking;
  if (!locked?.hasLiveWorker || locked.claimEpoch !== claim.claimEpoch) throw new ClaimLost();
  const { ended, unknownHoldings } = await recording;
  await acknowledging;
  await insertLateOutcomes(
    session,
    outcomes.filter(({ operationId }) => !ended.includes(operationId)),
  );
  const read = await reading;
  if (!read) throw new ClaimLost();
  const { snapshot, nowMs } = read;
  const holdings = unknownHoldings.length > 0 ? { unknownHoldings } : {};
  const context: DecideContext = { nowMs, ids, guard: null, isTakeover: claim.isTakeover, ...holdings };
  const decided = decide(snapshot, context, ended);
  const final = decided.needsGuard
    ? await decideGuarded(session, { cache, settings }, { snapshot, context, ended, decide })
    : { snapshot, decision: decided };
  await writeDecision(session, final.decision, 'worker', owed);
  return { kind: 'written', ...final };
}

interface GuardedInput {
  readonly snapshot: PromotionSnapshot;
  readonly context: DecideContext;
  readonly ended: readonly string[];
  readonly decide: DecideCallback;
}

/** Once more, with the environment's row locked and everything that others may have changed read again. */
async function decideGuarded(
  session: Session,
  { cache, settings }: Pick<StoreOptions, 'cache' | 'settings'>,
  { snapshot, context, ended, decide }: GuardedInput,
): Promise<{ snapshot: PromotionSnapshot; decision: Decision }> {
  const { id, environment } = snapshot.promotion;
  const locking = pipelined(lockEnvironment(session, environment));
  const guarding = pipelined(readGuard(session, environment, id));
  const reading = pipelined(readSnapshot(session, cache, settings, id));
  await locking;
  const { guard, nowMs } = await guarding;
  const fresh = (await reading) ?? snapshot;
  return { snapshot: fresh, decision: decide(fresh, { ...context, nowMs, guard }, ended) };
}

const READ_RETENTION: Statement = {
  name: 'retention_read',
  text: `select clock_timestamp() as now, ${SET_SETTINGS} as settings`,
};

async function prune(database: Database, started: Settings, limit: number): Promise<void> {
  const [row] = await query(database, READ_RETENTION);
  const settings = overlay(started, row?.['settings']);
  const nowMs = Number(row?.['now']);
  await transact(database, async (session) => {
    await pruneOutputs(session, nowMs - settings['retention.attemptOutput'], limit);
    await pruneCallbacks(session, nowMs - settings['retention.attemptOutput'], limit);
    await pruneIdempotencyKeys(session, nowMs - settings['retention.idempotencyKeys'], limit);
  });
  await transact(database, (session) => pruneEvents(session, nowMs, nowMs - settings['retention.events']));
}
