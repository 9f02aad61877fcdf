/** Skips and debts as a promotion's snapshot reads them. Each shape is that of a row which only our own statements write. */
import type { GateDebt, RoleBinding, Skip } from '@stella/domain';

/** Part of the statement that reads the snapshot of `p`. */
export const SELECT_SKIPS = `(select coalesce(json_agg(t order by t.requested_at, t.id), '[]') from (
    select k.*, r.subject as requester_subject, n.subject as decider_subject,
      (select coalesce(json_agg(json_build_object('role', b.role, 'pattern', b.pattern)), '[]')
       from role_bindings b where b.owner_id = k.decided_by) as bindings
    from skips k join persons r on r.id = k.requested_by left join persons n on n.id = k.decided_by
    where k.promotion_id = p.id) t)`;

/** Its own debts, and what others owe in its environment. */
export const SELECT_DEBTS = `(select coalesce(json_agg(t order by t.opened_at, t.id), '[]') from (
    select d.* from gate_debts d where d.promotion_id = p.id
    union all
    select d.* from gate_debts d where d.environment = p.environment and d.state = 'open' and d.promotion_id <> p.id) t)`;

export interface RawSkip {
  readonly id: Skip['id'];
  readonly gate_run_id: Skip['gateRunId'];
  readonly gate: string;
  readonly requested_by: Skip['requestedBy'];
  readonly requester_subject: string;
  readonly reason: string;
  readonly requested_at: string;
  readonly base_release_id: Skip['baseReleaseId'];
  readonly definition_hash: Skip['definitionHash'];
  readonly state: Skip['state'];
  readonly decided_by: Skip['decidedBy'];
  readonly decider_subject: string | null;
  readonly decision_reason: string;
  readonly decided_at: string | null;
  readonly expires_at: string | null;
  readonly ended_at: string | null;
  readonly message: string;
  readonly bindings: readonly RoleBinding[];
}

export interface RawDebt {
  readonly id: GateDebt['id'];
  readonly promotion_id: GateDebt['promotionId'];
  readonly environment: string;
  readonly release_id: GateDebt['releaseId'];
  readonly gate: string;
  readonly kind: GateDebt['kind'];
  readonly gate_run_id: GateDebt['gateRunId'];
  readonly skip_id: GateDebt['skipId'];
  readonly definition_hash: GateDebt['definitionHash'];
  readonly state: GateDebt['state'];
  readonly opened_at: string;
  readonly closed_at: string | null;
  readonly due_at: string | null;
  readonly ask_count: number;
  readonly last_asked_at: string | null;
  readonly last_outcome: GateDebt['lastOutcome'];
  readonly message: string;
}

export function toSkip(row: RawSkip): Skip {
  return {
    id: row.id,
    gateRunId: row.gate_run_id,
    gate: row.gate,
    requestedBy: row.requested_by,
    requesterSubject: row.requester_subject,
    reason: row.reason,
    requestedAtMs: Date.parse(row.requested_at),
    baseReleaseId: row.base_release_id,
    definitionHash: row.definition_hash,
    state: row.state,
    decidedBy: row.decided_by,
    deciderSubject: row.decider_subject,
    decisionReason: row.decision_reason,
    decidedAtMs: toMsOrNull(row.decided_at),
    expiresAtMs: toMsOrNull(row.expires_at),
    endedAtMs: toMsOrNull(row.ended_at),
    message: row.message,
    deciderBindingsNow: row.bindings,
  };
}

export function toDebt(row: RawDebt): GateDebt {
  return {
    id: row.id,
    promotionId: row.promotion_id,
    environment: row.environment,
    releaseId: row.release_id,
    gate: row.gate,
    kind: row.kind,
    gateRunId: row.gate_run_id,
    skipId: row.skip_id,
    definitionHash: row.definition_hash,
    state: row.state,
    openedAtMs: Date.parse(row.opened_at),
    closedAtMs: toMsOrNull(row.closed_at),
    dueAtMs: toMsOrNull(row.due_at),
    askCount: row.ask_count,
    lastAskedAtMs: toMsOrNull(row.last_asked_at),
    lastOutcome: row.last_outcome,
    message: row.message,
  };
}

function toMsOrNull(text: string | null): number | null {
  return text === null ? null : Date.parse(text);
}
