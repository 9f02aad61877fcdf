/**
 * Asks the rules: `live` what changed or should have changed, cheap at any size; `sweep` everything, page by page. Each
 * answers what it found at that moment; zero rows is how it must be at all times.
 */
import { propertyOf, type RuleName, toRfc3339, type Violation } from '@stella/domain';
import type { Session, Statement } from '../connection.ts';
import { ANSWERED_KEYS, CHAIN_HEAD, CHAIN_LINKS, CHAINS_OF_PROMOTIONS } from './chain-invariants.ts';
import { DIGESTS_OF_PROMOTIONS, DIGESTS_OF_STORE } from './digest-invariants.ts';
import { FENCES_OF_PROMOTIONS, OUTCOMES_OF_PROMOTIONS } from './fence-invariants.ts';
import { LOCKS_OF_PROMOTIONS, LOCKS_OF_STORE } from './lock-invariants.ts';
import { BATCHES_OF_PROMOTIONS } from './batch-invariants.ts';
import { QUOTAS_OF_PROMOTIONS } from './quota-invariants.ts';
import { STATUSES_OF_PROMOTIONS, TRAILS_OF_PROMOTIONS } from './status-invariants.ts';
import { RIGHTS_OF_PROMOTIONS, VERDICTS_OF_PROMOTIONS } from './verdict-invariants.ts';
import { WAITS_OF_PROMOTIONS } from './wait-invariants.ts';

const OF_PROMOTIONS: readonly Statement[] = [
  LOCKS_OF_PROMOTIONS,
  FENCES_OF_PROMOTIONS,
  OUTCOMES_OF_PROMOTIONS,
  STATUSES_OF_PROMOTIONS,
  TRAILS_OF_PROMOTIONS,
  VERDICTS_OF_PROMOTIONS,
  RIGHTS_OF_PROMOTIONS,
  DIGESTS_OF_PROMOTIONS,
  CHAINS_OF_PROMOTIONS,
  WAITS_OF_PROMOTIONS,
  QUOTAS_OF_PROMOTIONS,
  BATCHES_OF_PROMOTIONS,
];

/** Of each reason to look at a promotion so many are taken, the oldest first: a pass stays short after an outage too. */
const LIVE_SCOPE_MAX = 500;
/** Events of the global chain in one pass. */
const LIVE_EVENTS_MAX = 5_000;
/** Keys of requests that are looked at again: whatever was committed since the last pass is younger. */
const KEYS_SINCE_MS = 10 * 60_000;

/** What moved since $2, and what should have moved: claimed, under lock, or due for longer than a takeover may last. */
const LIVE_SCOPE: Statement = {
  name: 'invariants_scope',
  text: `select distinct id from (
      (select promotion_id as id from events where seq > $2 and seq <= $3 and promotion_id is not null)
      union all
      (select id from promotions where worker_id is not null order by worker_id limit $4)
      union all
      (select promotion_id from locks where released_at is null order by promotion_id limit $4)
      union all
      (select id from promotions where ended_at is null and next_action_at < $1::timestamptz - interval '20 seconds'
        order by next_action_at limit $4)
    ) t order by id`,
};

const CHAIN_END: Statement = { name: 'invariants_chain_end', text: 'select seq from chain_head' };

const PAGE: Statement = {
  name: 'invariants_page',
  text: 'select id from promotions where id > $1 order by id limit $2',
};

const ALL: Statement = { name: 'invariants_all', text: 'select id from promotions order by id' };

export interface LivePass {
  readonly violations: readonly Violation[];
  /** Where the next pass begins. */
  readonly seq: number;
}

/** From the event after `sinceSeq` on; a caller that is far behind gets on by a part with each call. */
export async function checkLive(session: Session, nowMs: number, sinceSeq: number): Promise<LivePass> {
  const [end] = await session.rows(CHAIN_END);
  const seq = Math.min(Number(end?.['seq'] ?? 0), sinceSeq + LIVE_EVENTS_MAX);
  const now = toRfc3339(nowMs);
  const scope = await session.rows(LIVE_SCOPE, [now, sinceSeq, seq, LIVE_SCOPE_MAX]);
  const found = [
    await checkPromotions(session, nowMs, scope.map(toId)),
    await ask(session, LOCKS_OF_STORE, [now]),
    await ask(session, DIGESTS_OF_STORE, []),
    await ask(session, CHAIN_LINKS, [sinceSeq, seq]),
    await ask(session, ANSWERED_KEYS, [toRfc3339(nowMs - KEYS_SINCE_MS)]),
  ];
  return { violations: found.flat(), seq };
}

export interface SweepPage {
  readonly violations: readonly Violation[];
  /** Null: that was the last one. */
  readonly after: string | null;
}

/** The next promotions by id. */
export async function sweepPromotions(
  session: Session,
  nowMs: number,
  { after, limit }: { after: string; limit: number },
): Promise<SweepPage> {
  const ids = (await session.rows(PAGE, [after, limit])).map(toId);
  return { violations: await checkPromotions(session, nowMs, ids), after: ids.at(-1) ?? null };
}

/** The next events of the global chain; with the last page its head, and what belongs to nothing else. */
export async function sweepEvents(
  session: Session,
  nowMs: number,
  { after, limit }: { after: number; limit: number },
): Promise<SweepPage> {
  const [end] = await session.rows(CHAIN_END);
  const endSeq = Number(end?.['seq'] ?? 0);
  const toSeq = Math.min(endSeq, after + limit);
  const links = await ask(session, CHAIN_LINKS, [after, toSeq]);
  if (toSeq < endSeq) return { violations: links, after: String(toSeq) };
  return { violations: [...links, ...(await checkWholeStore(session, nowMs))], after: null };
}

async function checkWholeStore(session: Session, nowMs: number): Promise<readonly Violation[]> {
  const found = [
    await ask(session, LOCKS_OF_STORE, [toRfc3339(nowMs)]),
    await ask(session, DIGESTS_OF_STORE, []),
    await ask(session, CHAIN_HEAD, []),
    await ask(session, ANSWERED_KEYS, [toRfc3339(0)]),
  ];
  return found.flat();
}

/** Everything at once; for tests and small databases. */
export async function checkEverything(session: Session, nowMs: number): Promise<readonly Violation[]> {
  const ids = (await session.rows(ALL)).map(toId);
  const ofPromotions = await checkPromotions(session, nowMs, ids);
  const links = await ask(session, CHAIN_LINKS, [0, Number.MAX_SAFE_INTEGER]);
  return [...ofPromotions, ...links, ...(await checkWholeStore(session, nowMs))];
}

async function checkPromotions(session: Session, nowMs: number, ids: readonly string[]): Promise<readonly Violation[]> {
  if (ids.length === 0) return [];
  const found: (readonly Violation[])[] = [];
  for (const statement of OF_PROMOTIONS) found.push(await ask(session, statement, [toRfc3339(nowMs), ids]));
  return found.flat();
}

async function ask(session: Session, statement: Statement, values: readonly unknown[]): Promise<readonly Violation[]> {
  return (await session.rows(statement, values)).map((row) => {
    // The name of one of our own rules.
    const rule = row['rule'] as RuleName;
    return { property: propertyOf(rule), rule, subject: String(row['subject']), message: String(row['message']) };
  });
}

function toId(row: Readonly<Record<string, unknown>>): string {
  return String(row['id']);
}
