/**
 * The audit's port on PostgreSQL. A turn belongs to whoever moves its due time: the row is locked for the length of the
 * turn, and others pass it by. So one server of many does each piece, without any session's lock.
 */
import { type Actor, chainEvents, propertyOf, type RuleName, type Violation } from '@stella/domain';
import type { AuditFacts, AuditStore, AuditTurn } from '../ports/audit-store.ts';
import { autocommit, type Database, type Session, type Statement, transact } from './connection.ts';
import { insertEvents } from './event-rows.ts';
import { checkLive, sweepEvents, sweepPromotions } from './invariants/check-invariants.ts';
import { numberOrNull } from './row-values.ts';

const AUDITOR: Actor = { kind: 'system', name: 'auditor' };

/** Events of the global chain for each promotion of a page: they are that much cheaper to look at. */
const EVENTS_PER_ROW = 20;
/** Findings that are kept: a broken store breaks in many rows at once, and the first of them tell enough. */
const KNOWN_MAX = 1_000;
/** Of which so many get a fact in the audit log in one turn. */
const FACTS_MAX = 20;
/** What the doctor looks back at when nobody audits: events of the global chain. */
const LOOK_BACK_EVENTS = 2_000;

/** Locked by whoever does the turn; the others go on without it. */
const TAKE_LIVE: Statement = {
  name: 'audit_live_take',
  text: `select live_seq, (extract(epoch from clock_timestamp()) * 1000)::bigint as now from audit_progress
    where live_due_at <= clock_timestamp() for update skip locked`,
};
const END_LIVE: Statement = {
  name: 'audit_live_end',
  text: `update audit_progress set live_due_at = clock_timestamp() + $1 * interval '1 millisecond', live_seq = $2,
    live_ended_at = clock_timestamp()`,
};
/** Locked likewise. */
const TAKE_SWEEP: Statement = {
  name: 'audit_sweep_take',
  text: `select sweep_part, sweep_after, (extract(epoch from clock_timestamp()) * 1000)::bigint as now from audit_progress
    where sweep_due_at <= clock_timestamp() for update skip locked`,
};
const MOVE_SWEEP: Statement = {
  name: 'audit_sweep_move',
  text: `update audit_progress set sweep_due_at = clock_timestamp() + $1 * interval '1 millisecond', sweep_part = $2,
    sweep_started_at = case when sweep_part = 'promotions' and sweep_after = '' then clock_timestamp()
      else sweep_started_at end, sweep_after = $3`,
};
const END_SWEEP: Statement = {
  name: 'audit_sweep_end',
  text: `with ended as (
      update audit_progress set sweep_due_at = clock_timestamp() + $1 * interval '1 millisecond',
        sweep_part = 'promotions', sweep_after = '', sweep_ended_at = clock_timestamp() returning sweep_started_at
    )
    delete from invariant_violations v using ended e where v.last_seen_at < e.sweep_started_at`,
};
const REMEMBER: Statement = {
  name: 'audit_remember',
  text: `insert into invariant_violations (rule, subject, message, first_seen_at, last_seen_at)
    select v.rule, v.subject, v.message, clock_timestamp(), clock_timestamp()
    from (select distinct on (rule, subject) * from json_to_recordset($1) as g (rule text, subject text, message text)
      order by rule, subject) v
    where (select count(*) from invariant_violations) < $2
      or exists (select from invariant_violations k where k.rule = v.rule and k.subject = v.subject)
    on conflict (rule, subject) do update set last_seen_at = excluded.last_seen_at, message = excluded.message
    returning rule, subject, xmax = 0 as is_new`,
};
const KNOWN: Statement = {
  name: 'audit_known',
  text: `select rule, subject, message, first_seen_at, last_seen_at from invariant_violations
    order by first_seen_at, rule, subject limit 1000`,
};
const PROGRESS: Statement = {
  name: 'audit_progress',
  text: `select (extract(epoch from clock_timestamp()) * 1000)::bigint as now, p.live_ended_at,
      p.sweep_ended_at, h.seq from audit_progress p cross join chain_head h`,
};

export function makeAuditStore(database: Database): AuditStore {
  return {
    takeLiveTurn: (everyMs) => transact(database, (session) => takeLive(session, everyMs)),
    takeSweepTurn: (pace) => transact(database, (session) => takeSweep(session, pace)),
    look: () => autocommit(database, look),
    readFacts: () => autocommit(database, readFacts),
  };
}

async function takeLive(session: Session, everyMs: number): Promise<AuditTurn | null> {
  const [row] = await session.rows(TAKE_LIVE);
  if (!row) return null;
  const { violations, seq } = await checkLive(session, Number(row['now']), Number(row['live_seq']));
  const fresh = await remember(session, violations, Number(row['now']));
  await session.rows(END_LIVE, [everyMs, seq]);
  return { violations, fresh, isSweepEnd: false };
}

type Pace = Parameters<AuditStore['takeSweepTurn']>[0];

async function takeSweep(session: Session, { everyMs, restMs, rows }: Pace): Promise<AuditTurn | null> {
  const [row] = await session.rows(TAKE_SWEEP);
  if (!row) return null;
  const nowMs = Number(row['now']);
  const after = String(row['sweep_after']);
  const isOfPromotions = row['sweep_part'] === 'promotions';
  const page = isOfPromotions
    ? await sweepPromotions(session, nowMs, { after, limit: rows })
    : await sweepEvents(session, nowMs, { after: Number(after), limit: rows * EVENTS_PER_ROW });
  const fresh = await remember(session, page.violations, nowMs);
  const isSweepEnd = !isOfPromotions && page.after === null;
  if (isSweepEnd) await session.rows(END_SWEEP, [restMs]);
  else if (page.after === null) await session.rows(MOVE_SWEEP, [everyMs, 'events', '0']);
  else await session.rows(MOVE_SWEEP, [everyMs, isOfPromotions ? 'promotions' : 'events', page.after]);
  return { violations: page.violations, fresh, isSweepEnd };
}

/** Keeps what was found, and tells of what is new in the audit log. */
async function remember(
  session: Session,
  violations: readonly Violation[],
  nowMs: number,
): Promise<readonly Violation[]> {
  if (violations.length === 0) return [];
  const rows = await session.rows(REMEMBER, [JSON.stringify(violations), KNOWN_MAX]);
  const isNew = new Set(rows.filter((row) => row['is_new'] === true).map((row) => nameOf(row['rule'], row['subject'])));
  const fresh = violations.filter(({ rule, subject }) => isNew.delete(nameOf(rule, subject)));
  const drafts = fresh.slice(0, FACTS_MAX).map(({ rule, subject, message }) => ({
    type: 'invariant.violated' as const,
    actor: AUDITOR,
    atMs: nowMs,
    promotionId: null,
    subject,
    data: { rule, message },
  }));
  await insertEvents(session, chainEvents({ head: null, length: 0 }, drafts).events);
  return fresh;
}

function nameOf(rule: unknown, subject: unknown): string {
  return `${String(rule)} ${String(subject)}`;
}

async function look(session: Session): Promise<readonly Violation[]> {
  const [row] = await session.rows(PROGRESS);
  const sinceSeq = Math.max(0, Number(row?.['seq']) - LOOK_BACK_EVENTS);
  return (await checkLive(session, Number(row?.['now']), sinceSeq)).violations;
}

async function readFacts(session: Session): Promise<AuditFacts> {
  const [[progress], known] = await Promise.all([session.rows(PROGRESS), session.rows(KNOWN)]);
  return {
    nowMs: Number(progress?.['now']),
    liveEndedAtMs: numberOrNull(progress?.['live_ended_at']),
    sweepEndedAtMs: numberOrNull(progress?.['sweep_ended_at']),
    known: known.map((row) => {
      // The name of one of our own rules.
      const rule = row['rule'] as RuleName;
      return {
        property: propertyOf(rule),
        rule,
        subject: String(row['subject']),
        message: String(row['message']),
        firstSeenAtMs: Number(row['first_seen_at']),
        lastSeenAtMs: Number(row['last_seen_at']),
      };
    }),
  };
}
