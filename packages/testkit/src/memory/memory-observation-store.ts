/** The port of the observer of targets in memory. */
import {
  chainEvents,
  claimRound,
  isRoundDue,
  isTaken,
  LOCK_COMMIT_MS_MAX,
  nextLookAt,
  type ObservationRound,
  recordLooks,
  type TargetDefinition,
  type TargetLookAt,
  type TargetObservation,
  type VerifiedComponent,
  wordSetting,
} from '@stella/domain';
import type { DueRound, ObservationStore, Observer } from '@stella/server';
import { releaseIn, settingsIn } from './memory-reads.ts';
import { type MemoryConnections, type MemorySession, transact } from './memory-session.ts';
import { environmentKey, observationKeyOf, roundKey, type StoredLock, type StoredPromotion } from './memory-state.ts';
import type { MemoryTransaction, View } from './memory-transaction.ts';
import { oweSkipped, wakeRows } from './memory-wakes.ts';
import { insertEvents } from './memory-writes.ts';

const ACTOR = { kind: 'system', name: 'observer' } as const;

export function makeMemoryObservationStore(connections: MemoryConnections): ObservationStore {
  return {
    takeDueRounds: (limit) =>
      transact(connections, 'takeDueRounds', (session) =>
        session.statement('find', (tx, nowMs) => takeDue(tx, connections, { nowMs, limit })),
      ),
    recordRound: (round, looks, observer) =>
      transact(connections, 'recordRound', (session) => recordRound(connections, session, { round, looks, observer })),
  };
}

/** Those that another observer has locked are left to it. */
function takeDue(
  tx: MemoryTransaction,
  { settings: started }: MemoryConnections,
  { nowMs, limit }: { readonly nowMs: number; readonly limit: number },
): readonly DueRound[] {
  const settings = settingsIn(tx, started);
  if (wordSetting(settings, 'observe.mode') === 'off') return [];
  const everyMs = settings['observe.every'];
  const rounds = [...tx.rows(tx.state.rounds)]
    .filter((round) => isRoundDue(round, { nowMs, everyMs, isCured: isCured(tx, round) }))
    .filter(({ environment }) => !takenNow(tx, environment).includes(`environment:${environment}`))
    .sort((a, b) => a.dueAtMs - b.dueAtMs || (a.environment < b.environment ? -1 : 1));
  const due: DueRound[] = [];
  for (const round of rounds) {
    const { environment } = round;
    const stored = tx.get(tx.state.definitions, environment);
    if (!stored || due.length >= limit || !tx.tryLock(roundKey(environment))) continue;
    const taken = takenNow(tx, environment);
    const targets = stored.definition.targets.filter((one) => !isTaken(environment, one, taken));
    const atOnce = settings['limits.targetsAtOnce'];
    const timeoutMs = settings['observe.timeout'];
    const claimed = claimRound(round, { targetCount: targets.length, atOnce, timeoutMs }, nowMs);
    tx.put(tx.state.rounds, environment, claimed);
    due.push({ environment, number: claimed.number, claimedAtMs: nowMs, targets, atOnce, timeoutMs });
  }
  return due;
}

function isCured(tx: View, { environment, endedAtMs }: ObservationRound): boolean {
  const releasedAtMs = tx.get(tx.state.environments, environment)?.releasedAtMs ?? 0;
  return releasedAtMs > (endedAtMs ?? 0) && knownIn(tx, environment).some((one) => one.driftSinceMs !== null);
}

function takenNow(tx: View, environment: string): readonly string[] {
  return exclusiveIn(tx, environment)
    .filter((lock) => lock.releasedAtMs === null)
    .map((lock) => lock.resource);
}

function exclusiveIn(tx: View, environment: string): readonly StoredLock[] {
  const place = `environment:${environment}`;
  return [...tx.rows(tx.state.locks)].filter(
    ({ mode, resource }) => mode === 'exclusive' && resource.split('/')[0] === place,
  );
}

function knownIn(tx: View, environment: string): readonly TargetObservation[] {
  return [...tx.rows(tx.state.observations)]
    .filter((one) => one.environment === environment)
    .sort((a, b) => (a.target < b.target ? -1 : 1));
}

interface RecordInput {
  readonly round: DueRound;
  readonly looks: readonly TargetLookAt[];
  readonly observer: Observer;
}

async function recordRound(
  { settings: started }: MemoryConnections,
  session: MemorySession,
  { round, looks, observer }: RecordInput,
): Promise<readonly TargetObservation[] | null> {
  const { environment, number, claimedAtMs } = round;
  await session.statement('lockEnvironment', () => session.lock(environmentKey(environment)));
  const isCounting = await session.statement('lock', async (tx) => {
    await session.lock(roundKey(environment));
    const row = tx.get(tx.state.rounds, environment);
    return row !== undefined && row.number === number && row.endedAtMs === null;
  });
  if (!isCounting) return null;
  return session.statement('write', (tx, nowMs) => {
    const row = tx.get(tx.state.rounds, environment);
    const stored = tx.get(tx.state.definitions, environment);
    if (!row || !stored) return null;
    const taken = exclusiveIn(tx, environment)
      .filter((lock) => lock.acquiredAtMs >= claimedAtMs - LOCK_COMMIT_MS_MAX)
      .filter((lock) => lock.releasedAtMs === null || lock.releasedAtMs >= claimedAtMs)
      .map((lock) => lock.resource);
    const { targets } = stored.definition;
    const verified = verifiedIn(tx, environment);
    const known = knownIn(tx, environment);
    const { by } = observer;
    const context = { environment, nowMs, actor: ACTOR, by, targets, verified, known, takenResources: taken };
    const recorded = recordLooks(looks, context);
    for (const one of recorded.kept) tx.put(tx.state.observations, observationKeyOf(one), one);
    for (const target of recorded.dropped) tx.remove(tx.state.observations, observationKeyOf({ environment, target }));
    const dueAtMs = nextLookAt(nowMs, settingsIn(tx, started)['observe.every'], observer.jitter);
    tx.put(tx.state.rounds, environment, { ...row, dueAtMs, endedAtMs: nowMs });
    if (recorded.changesSoaks) wakeSoaking(tx, environment, nowMs);
    insertEvents(tx, chainEvents({ head: null, length: 0 }, recorded.events).events);
    return recorded.kept;
  });
}

/** Whoever waits for a soak there looks again now. */
function wakeSoaking(tx: MemoryTransaction, environment: string, nowMs: number): void {
  const isWoken = ({ promotion, gateRuns }: StoredPromotion): boolean =>
    promotion.step === 'evaluate_gates' &&
    promotion.definition.promotesFrom.includes(environment) &&
    [...gateRuns.values()].some(({ kind, state }) => kind === 'soak' && state === 'waiting');
  wakeRows(tx, nowMs, isWoken);
  oweSkipped(tx, nowMs, isWoken);
}

/** What a component runs is not known while a failed deploy left it mixed. */
function verifiedIn(tx: View, environment: string): readonly VerifiedComponent[] {
  const rows = tx.get(tx.state.environments, environment)?.components ?? [];
  return rows.flatMap(({ component, releaseId, releasedAtMs, state }): VerifiedComponent[] => {
    if (releaseId === null || releasedAtMs === null || state === 'mixed') return [];
    const digest = releaseIn(tx, releaseId).components.find((one) => one.name === component)?.digest;
    const targets = targetsWith(tx, environment, releaseId);
    return digest === undefined || targets === null ? [] : [{ component, digest, verifiedAtMs: releasedAtMs, targets }];
  });
}

/** Of the definition with which the release was completed there last. */
function targetsWith(tx: View, environment: string, releaseId: string): readonly TargetDefinition[] | null {
  const [last] = [...tx.rows(tx.state.promotions)]
    .map(({ promotion }) => promotion)
    .filter((one) => one.environment === environment && one.releaseId === releaseId && one.status === 'completed')
    .sort((a, b) => (b.endedAtMs ?? 0) - (a.endedAtMs ?? 0) || (a.id < b.id ? 1 : -1));
  return last?.definition.targets ?? null;
}
