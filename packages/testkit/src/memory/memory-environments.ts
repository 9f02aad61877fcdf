/** Environments and releases of a command's transaction. */
import {
  emptyEnvironment,
  AppError,
  definitionHash,
  firstRound,
  formatProbeSubject,
  type GateDebt,
  type IdSource,
  isTerminal,
  type PromotionKind,
  type Release,
} from '@stella/domain';
import type { CommandTransaction, EnvironmentRecord, LiveDefinition } from '@stella/server';
import { baseIn, breaksIn, completedAtMs, readPredecessors } from './memory-reads.ts';
import type { MemorySession } from './memory-session.ts';
import { debtKey, environmentKey, observationKeyOf, roundKey } from './memory-state.ts';
import { fenceMethods } from './memory-fences.ts';
import type { View } from './memory-transaction.ts';
import { wakeWaiting, writeDebt } from './memory-writes.ts';

/** Of an environment's live promotions, as many are named. */
const LIVE_MAX = 10;

type EnvironmentMethods = Pick<
  CommandTransaction,
  | 'readEntry'
  | 'lockEnvironments'
  | 'lockEnvironment'
  | 'drawFenceAbove'
  | 'writeRaisedFence'
  | 'writeFreeze'
  | 'writeQuotaRequests'
  | 'writeDefinition'
  | 'removeEnvironment'
  | 'livePromotionsOf'
  | 'liveDefinitionsOf'
  | 'insertRelease'
>;

export function environmentMethods(session: MemorySession, ids: IdSource, nowMs: number): EnvironmentMethods {
  return {
    async readEntry(environment, release, kind = 'promote') {
      await session.statement('shareEnvironment', async (tx) => {
        if (tx.get(tx.state.environments, environment)) await session.lock(environmentKey(environment), 'share');
      });
      return session.statement('readEntry', (tx) => readEntry(tx, environment, { release, kind }));
    },
    async lockEnvironments() {
      await session.statement('lockEnvironments', async (tx) => {
        for (const name of namesIn(tx)) await session.lock(environmentKey(name));
      });
      return session.statement('listEnvironments', (tx) => namesIn(tx).flatMap((name) => recordOf(tx, name) ?? []));
    },
    ...fenceMethods(session, nowMs),
    writeFreeze: (name, freeze) =>
      session.statement('writeFreeze', (tx) => {
        const status = tx.get(tx.state.environments, name);
        if (status) tx.put(tx.state.environments, name, { ...status, freeze });
        wakeWaiting(tx, name, nowMs, { waker: null, wakesClaimed: true });
      }),
    writeQuotaRequests: (name, quotaRequests) =>
      session.statement('writeQuotaRequests', (tx) => {
        const status = tx.get(tx.state.environments, name);
        if (status) tx.put(tx.state.environments, name, { ...status, quotaRequests });
      }),
    ...definitionMethods(session, nowMs),
    livePromotionsOf: (environment) =>
      session.statement('livePromotions', (tx) =>
        [...tx.rows(tx.state.promotions)]
          .flatMap(({ promotion: { id, environment: name, status } }) =>
            name === environment && !isTerminal(status) ? [id] : [],
          )
          .sort()
          .slice(0, LIVE_MAX),
      ),
    liveDefinitionsOf: (environment) =>
      session.statement('liveDefinitions', (tx) => liveDefinitionsIn(tx, environment)),
    insertRelease: (wanted) => insertRelease(session, ids, nowMs, wanted),
  };
}

type Definitions = Pick<EnvironmentMethods, 'writeDefinition' | 'removeEnvironment'>;

function definitionMethods(session: MemorySession, nowMs: number): Definitions {
  return {
    writeDefinition: (definition) =>
      session.statement('writeDefinition', async (tx) => {
        const { name } = definition;
        await session.lock(environmentKey(name));
        const { definitions, definitionVersions, environments } = tx.state;
        const version = (tx.get(definitionVersions, name) ?? 0) + 1;
        const hash = definitionHash(definition);
        tx.put(definitionVersions, name, version);
        tx.put(definitions, name, { definition, version, hash, appliedAtMs: nowMs });
        const status = tx.get(environments, name) ?? emptyEnvironment(name);
        const { freezes: plannedFreezes } = definition;
        const policyRevision = status.policyRevision + 1;
        const { concurrency, quotas = null } = definition;
        tx.put(environments, name, { ...status, policyRevision, plannedFreezes, concurrency, quotas });
        if (!tx.get(tx.state.rounds, name)) tx.put(tx.state.rounds, name, firstRound(name, nowMs));
        wakeWaiting(tx, name, nowMs, { waker: null, wakesClaimed: true });
        return { definition, version, hash, appliedAtMs: nowMs };
      }),
    removeEnvironment: (name) =>
      session.statement('removeEnvironment', async (tx) => {
        await session.lock(environmentKey(name));
        tx.remove(tx.state.environments, name);
        tx.remove(tx.state.fenceFloors, name);
        tx.remove(tx.state.definitions, name);
        for (const { subject } of tx.rows(tx.state.probes)) {
          if (subject.environment === name) tx.remove(tx.state.probes, formatProbeSubject(subject));
        }
        await session.lock(roundKey(name));
        tx.remove(tx.state.rounds, name);
        for (const one of tx.rows(tx.state.observations)) {
          if (one.environment === name) tx.remove(tx.state.observations, observationKeyOf(one));
        }
        const owed = [...tx.rows(tx.state.debts)].filter((debt) => debt.environment === name && debt.state === 'open');
        const closed: GateDebt[] = [];
        for (const { id } of owed) {
          await session.lock(debtKey(id));
          const debt = tx.get(tx.state.debts, id);
          if (debt?.state !== 'open') continue;
          const message = 'the environment was removed';
          const row = { ...debt, state: 'superseded' as const, closedAtMs: nowMs, dueAtMs: null, message };
          writeDebt(tx, row);
          closed.push(row);
        }
        return closed;
      }),
  };
}

function readEntry(
  view: View,
  environment: string,
  { release, kind }: { readonly release: Release; readonly kind: PromotionKind },
): Awaited<ReturnType<CommandTransaction['readEntry']>> {
  const status = view.get(view.state.environments, environment);
  const record = recordOf(view, environment);
  if (!status || !record) return null;
  return {
    record,
    status,
    base: baseIn(view, status, release),
    predecessors: readPredecessors(view, record.definition, { release, kind }),
    hasCompletedHere: kind === 'rollback' && completedAtMs(view, environment, release.id) !== null,
    breaks: breaksIn(view.rows(view.state.observations), environment),
  };
}

function liveDefinitionsIn(view: View, environment: string): LiveDefinition[] {
  const first = new Map<string, LiveDefinition>();
  for (const { promotion } of view.rows(view.state.promotions)) {
    const { id, definition, definitionHash: hash } = promotion;
    if (promotion.environment !== environment || isTerminal(promotion.status)) continue;
    const known = first.get(hash);
    if (!known || id < known.promotionId) first.set(hash, { promotionId: id, definition });
  }
  return [...first.values()].sort((a, b) => (a.promotionId < b.promotionId ? -1 : 1));
}

function namesIn(view: View): string[] {
  return [...view.rows(view.state.environments)].map((status) => status.name).sort();
}

function recordOf(view: View, name: string): EnvironmentRecord | null {
  const stored = view.get(view.state.definitions, name);
  return stored ?? null;
}

async function insertRelease(
  session: MemorySession,
  ids: IdSource,
  nowMs: number,
  { name, components }: Parameters<CommandTransaction['insertRelease']>[0],
): Promise<Release> {
  const id = ids.next('rel');
  return session.statement('insertRelease', async (tx) => {
    const { state } = tx;
    await session.lock(`releases_name ${name}`);
    // Drawn also when the name is taken.
    state.lastReleaseNumber += 1;
    const number = state.lastReleaseNumber;
    for (const other of tx.rows(state.releases)) {
      if (other.name === name) throw new AppError('release.name_taken', { details: { name, releaseId: other.id } });
    }
    const sorted = [...components].sort((a, b) => (a.name < b.name ? -1 : 1));
    const release = { id, name, components: sorted, createdAtMs: nowMs, number };
    tx.put(state.releases, id, release);
    return release;
  });
}
