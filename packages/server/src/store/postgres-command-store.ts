/** The commands' port on PostgreSQL: effect, events and idempotency key in one transaction (safety S6, S12). */
import { AppError, chainEvents, type PromotionId, type PromotionSnapshot } from '@stella/domain';
import type { CommandStore, CommandTransaction } from '../ports/command-store.ts';
import { insertCallbackRow } from './callback-rows.ts';
import type { Database, Session, Statement } from './connection.ts';
import { closeDebtRows, writeDebtApprovalRow } from './debt-rows.ts';
import {
  liveDefinitionRows,
  livePromotionIds,
  lockEnvironmentRows,
  readEnvironmentRow,
  hasCompleted,
  readPredecessors,
  removeEnvironmentRow,
  shareEnvironmentRow,
  writeDefinitionRows,
} from './environment-rows.ts';
import { insertEvents } from './event-rows.ts';
import { wakeFrozen, writeFreezeRow } from './freeze-rows.ts';
import { drawFenceAbove, findHolderRow, writeRaisedFenceRow } from './fence-rows.ts';
import { lockEnvironment, readGuard } from './guard.ts';
import { reserveKey, storeAnswer } from './idempotency.ts';
import { renewing } from './installation.ts';
import {
  ensureAutomationRow,
  insertEnrolmentRow,
  insertPersonRow,
  insertTokenRow,
  revokeTokenRow,
  useEnrolmentRow,
} from './identity-rows.ts';
import { findLockHolderRow } from './lock-rows.ts';
import { readBreakRows } from './observation-rows.ts';
import {
  lockChannelRows,
  lockDeliveryRow,
  removeChannelRow,
  reopenDeliveryRow,
  writeChannelRow,
} from './notification-rows.ts';
import { transactAndWake } from './owed-wakes.ts';
import type { StoreOptions } from './postgres-engine-store.ts';
import { writeQuotaRequestRows } from './quota-rows.ts';
import { livePromotionsFromRegistry, lockRegistryRows, removeRegistryRow, writeRegistryRow } from './registry-rows.ts';
import { findReleaseByName, insertReleaseRow } from './release-rows.ts';
import { listSettingRows, lockSettingRow, overlay, SET_SETTINGS, writeSettingRow } from './setting-rows.ts';
import { lockPromotionRow, readBase, readTimedSnapshot, type TimedSnapshot } from './snapshot.ts';
import { insertDecision, isLiveExists, writeDecision } from './write-decision.ts';

const NOW: Statement = {
  name: 'now_ms',
  text: `select date_trunc('milliseconds', clock_timestamp()) as now, ${SET_SETTINGS} as settings`,
};

const FIND_LIVE: Statement = {
  name: 'promotion_live',
  text: 'select id from promotions where release_id = $1 and environment = $2 and ended_at is null',
};

export function makeCommandStore(database: Database, options: StoreOptions): CommandStore {
  return {
    transact: (idempotency, work) =>
      renewing(database, () =>
        transactAndWake(database, async (session, owed) => {
          const [row] = await session.rows(NOW);
          const nowMs = Number(row?.['now']);
          if (idempotency) {
            const kept = await reserveKey(session, idempotency, nowMs);
            if (kept) return kept;
          }
          const settings = overlay(options.settings, row?.['settings']);
          const answer = await work(makeTransaction(session, { ...options, settings, owed }, nowMs));
          if (idempotency) await storeAnswer(session, idempotency, answer);
          return answer;
        }),
      ),
  };
}

interface CommandOptions extends StoreOptions {
  /** Whom the transaction could not wake. */
  readonly owed: string[];
}

/** When the transaction is, as its rows were read. */
interface Moment {
  nowMs: number;
}

function makeTransaction(session: Session, options: CommandOptions, nowMs: number): CommandTransaction {
  const moment: Moment = { nowMs };
  return {
    get nowMs() {
      return moment.nowMs;
    },
    settings: options.settings,
    ...settingMethods(session, nowMs),
    ...promotionMethods(session, options, moment),
    ...environmentMethods(session, options, nowMs),
    ...releaseMethods(session, options, nowMs),
    ...identityMethods(session, options, nowMs),
    ...notificationMethods(session, nowMs),
    ...registryMethods(session, nowMs),
    writeEvents: (events) => insertEvents(session, chainEvents({ head: null, length: 0 }, events).events),
  };
}

type PromotionMethods = Pick<
  CommandTransaction,
  | 'readPromotion'
  | 'lockPromotion'
  | 'guard'
  | 'writeDecision'
  | 'writeDebtApproval'
  | 'insertCallback'
  | 'findLockHolder'
  | 'insertPromotion'
>;

function promotionMethods(
  session: Session,
  { cache, settings, owed }: CommandOptions,
  moment: Moment,
): PromotionMethods {
  const readNow = async (id: PromotionId): Promise<PromotionSnapshot> => {
    const { snapshot, nowMs } = await readPromotion(session, { cache, settings }, id);
    moment.nowMs = nowMs;
    return snapshot;
  };
  return {
    readPromotion: async (id) => (await readPromotion(session, { cache, settings }, id)).snapshot,
    async lockPromotion(id) {
      const locked = await lockPromotionRow(session, id);
      return locked ? readNow(id) : null;
    },
    async guard({ promotion: { id, environment } }) {
      await lockEnvironment(session, environment);
      const { guard } = await readGuard(session, environment, id);
      return { snapshot: await readNow(id), guard };
    },
    writeDecision: (decision) => writeDecision(session, decision, 'person', owed),
    writeDebtApproval: (approval) => writeDebtApprovalRow(session, approval),
    insertCallback: (callback) => insertCallbackRow(session, callback),
    findLockHolder: (id) => findLockHolderRow(session, id),
    async insertPromotion(decision) {
      const { releaseId, environment } = decision.promotion;
      const [live] = await session.rows(FIND_LIVE, [releaseId, environment]);
      if (live) throw liveExists(environment, releaseId, String(live['id']));
      try {
        await insertDecision(session, decision);
      } catch (error) {
        if (isLiveExists(error)) throw liveExists(environment, releaseId, 'another that was made at this moment');
        throw error;
      }
    },
  };
}

async function readPromotion(
  session: Session,
  { cache, settings }: Pick<StoreOptions, 'cache' | 'settings'>,
  id: PromotionId,
): Promise<TimedSnapshot> {
  const timed = await readTimedSnapshot(session, cache, settings, id);
  if (timed) return timed;
  throw new AppError('promotion.not_found', { details: { name: id } });
}

function liveExists(environment: string, release: string, promotionId: string): AppError {
  return new AppError('promotion.live_exists', { details: { environment, release, promotionId } });
}

type SettingMethods = Pick<CommandTransaction, 'lockSetting' | 'writeSetting' | 'listSettings'>;

function settingMethods(session: Session, nowMs: number): SettingMethods {
  return {
    lockSetting: (key) => lockSettingRow(session, key),
    writeSetting: (change) => writeSettingRow(session, { ...change, nowMs }),
    listSettings: () => listSettingRows(session),
  };
}

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
>;

function environmentMethods(session: Session, { cache, owed }: CommandOptions, nowMs: number): EnvironmentMethods {
  return {
    async readEntry(environment, release, kind = 'promote') {
      const row = await shareEnvironmentRow(session, environment);
      if (!row) return null;
      const { status, ...record } = row;
      return {
        record,
        status,
        base: await readBase(session, cache, status, release),
        predecessors: await readPredecessors(session, record.definition.promotesFrom, { releaseId: release.id, kind }),
        hasCompletedHere: kind === 'rollback' && (await hasCompleted(session, environment, release.id)),
        breaks: await readBreakRows(session, environment),
      };
    },
    lockEnvironments: () => lockEnvironmentRows(session),
    async lockEnvironment(name) {
      await lockEnvironment(session, name);
      const row = await readEnvironmentRow(session, name);
      return row ? { status: row.status, holder: await findHolderRow(session, name) } : null;
    },
    drawFenceAbove: (held) => drawFenceAbove(session, held),
    writeRaisedFence: (status, floor) => writeRaisedFenceRow(session, status, floor),
    async writeFreeze(environment, freeze) {
      await writeFreezeRow(session, environment, freeze);
      owed.push(...(await wakeFrozen(session, environment, nowMs)));
    },
    writeQuotaRequests: (environment, requests) => writeQuotaRequestRows(session, environment, requests),
    async writeDefinition(definition, actor) {
      const record = await writeDefinitionRows(session, definition, { actor, nowMs });
      // Its freezes count for those that are under way.
      owed.push(...(await wakeFrozen(session, definition.name, nowMs)));
      return record;
    },
    async removeEnvironment(name) {
      await removeEnvironmentRow(session, name);
      return closeDebtRows(session, name, nowMs);
    },
    livePromotionsOf: (environment) => livePromotionIds(session, environment),
    liveDefinitionsOf: (environment) => liveDefinitionRows(session, environment),
  };
}

function releaseMethods(
  session: Session,
  { ids }: StoreOptions,
  nowMs: number,
): Pick<CommandTransaction, 'insertRelease'> {
  return {
    async insertRelease({ name, components }, actor) {
      const id = ids.next('rel');
      const release = await insertReleaseRow(session, { id, name, components, createdAtMs: nowMs, createdBy: actor });
      if (release) return release;
      const other = await findReleaseByName(session, name);
      throw new AppError('release.name_taken', { details: { name, releaseId: other?.id ?? 'another' } });
    },
  };
}

type NotificationMethods = Pick<
  CommandTransaction,
  'lockChannels' | 'writeChannel' | 'removeChannel' | 'lockDelivery' | 'reopenDelivery'
>;

function notificationMethods(session: Session, nowMs: number): NotificationMethods {
  return {
    lockChannels: () => lockChannelRows(session),
    writeChannel: (definition) => writeChannelRow(session, definition, nowMs),
    removeChannel: (name) => removeChannelRow(session, name, nowMs),
    lockDelivery: (id) => lockDeliveryRow(session, id),
    reopenDelivery: (delivery) => reopenDeliveryRow(session, delivery, nowMs),
  };
}

type RegistryMethods = Pick<
  CommandTransaction,
  'lockRegistries' | 'writeRegistry' | 'removeRegistry' | 'livePromotionsFrom'
>;

function registryMethods(session: Session, nowMs: number): RegistryMethods {
  return {
    lockRegistries: () => lockRegistryRows(session),
    writeRegistry: (definition) => writeRegistryRow(session, definition, nowMs),
    removeRegistry: (host) => removeRegistryRow(session, host),
    livePromotionsFrom: (host) => livePromotionsFromRegistry(session, host),
  };
}

type IdentityMethods = Pick<
  CommandTransaction,
  'insertPerson' | 'insertEnrolment' | 'useEnrolment' | 'insertToken' | 'revokeToken' | 'ensureAutomation'
>;

function identityMethods(session: Session, { ids }: StoreOptions, nowMs: number): IdentityMethods {
  return {
    async insertPerson(person) {
      const id = ids.next('per');
      if (await insertPersonRow(session, { ...person, id, nowMs })) return { id };
      throw new AppError('person.exists', { details: { subject: person.subject } });
    },
    insertEnrolment: (enrolment) => insertEnrolmentRow(session, enrolment),
    useEnrolment: (codeHash) => useEnrolmentRow(session, codeHash),
    insertToken: (token) => insertTokenRow(session, { ...token, nowMs }),
    revokeToken: (id) => revokeTokenRow(session, id),
    ensureAutomation: (name, personId, bindings) =>
      ensureAutomationRow(session, { id: ids.next('aut'), name, personId, bindings, nowMs }),
  };
}
