/** S5 and S6: the row, and the events that lead to it, as `status-rules.ts` and `trail-rules.ts` of the domain have them. */
import { type Invariant, ofPromotions, TERMINAL, TRANSITIONS } from './invariant.ts';

const STATUSES: readonly Invariant[] = [
  {
    rule: 'S5.ended',
    text: `select s.id as subject, 'is ' || s.status || ' and its end says otherwise' as message from scope s
      where (s.ended_at is not null) <> (s.status in ${TERMINAL})
        or (s.status in ${TERMINAL} and (s.ending_code is null) <> (s.status = 'completed'))`,
  },
  {
    rule: 'S5.step',
    text: `select s.id as subject, 'is ' || s.status || ' in ' || s.step || ', its steps say otherwise' as message
      from scope s cross join lateral (
        select count(*) filter (where r.started_at is not null and r.ended_at is null) as open_count,
          coalesce(bool_or(r.step = s.step), false) as is_there,
          coalesce(bool_or(r.step = s.step and r.started_at is not null and r.ended_at is null
            and r.state in ('running', 'waiting')), false) as is_under_way
        from promotion_steps r where r.promotion_id = s.id) r
      where not (case when s.status in ${TERMINAL} then r.open_count = 0 and r.is_there
        else r.open_count = 1 and r.is_under_way end)`,
  },
  {
    rule: 'S5.word',
    text: `select s.id as subject, 'is ' || s.status || ' in ' || s.step || ' for no reason' as message from scope s
      where not (case s.status
        when 'queued' then (s.step = 'acquire_locks' and s.ticket is not null) or (s.step = 'evaluate_gates'
          and exists (select from gate_runs g where g.promotion_id = s.id and g.kind = 'dependency'
            and g.state = 'waiting'))
        when 'pending_approval' then s.step = 'evaluate_gates' and exists (select from gate_runs g
          where g.promotion_id = s.id and g.kind = 'approval' and g.state = 'waiting')
        when 'scheduled' then (s.step = 'evaluate_gates' and exists (select from gate_runs g
          where g.promotion_id = s.id and g.kind in ('soak', 'window') and g.state = 'waiting'))
          or (s.step = 'deploy' and exists (select from promotion_steps r where r.promotion_id = s.id
            and r.step = 'deploy' and r.state = 'waiting'))
        when 'cancelling' then s.cancel_requested_at is not null and s.step in ('deploy', 'verify', 'rollback')
        when 'completed' then s.step = 'verify'
        when 'rolled_back' then s.step = 'rollback'
        when 'cancelled' then s.cancel_requested_at is not null
        when 'rejected' then s.step = 'evaluate_gates' and exists (select from gate_runs g
          where g.promotion_id = s.id and g.verdict = 'failed')
        when 'superseded' then s.step not in ('deploy', 'verify', 'rollback')
        else true end)`,
  },
  {
    rule: 'S5.version',
    text: `select s.id as subject, 'has version ' || s.version || ' after ' || s.claim_epoch || ' claims' as message
      from scope s where not (s.claim_epoch >= 0 and s.version > s.claim_epoch)`,
  },
  {
    rule: 'S5.transitions',
    text: `select s.id as subject, 'changed its status as it may not' as message from scope s
      where exists (select from events e where e.promotion_id = s.id and e.type = 'promotion.status_changed'
        and (coalesce(e.data ->> 'from', ''), coalesce(e.data ->> 'to', '')) not in (${TRANSITIONS}))`,
  },
];

const TRAILS: readonly Invariant[] = [
  {
    rule: 'S6.length',
    text: `select s.id as subject, 'has more or fewer events than its chain is long' as message from scope s
      where s.id not in (select id from pruned)
        and (select count(*) from events e where e.promotion_id = s.id) <> s.chain_length`,
  },
  {
    rule: 'S6.status',
    text: `select s.id as subject, 'its events do not lead to status ' || s.status as message
      from scope s cross join lateral (
        select coalesce(bool_and(t.was is not distinct from t.due), true) as is_linked, count(*) as event_count,
          (array_agg(t.became order by t.promotion_seq desc nulls first, t.id desc))[1] as last
        from (
          select e.id, e.promotion_seq, e.data ->> 'from' as was, e.data ->> 'to' as became,
            case when row_number() over w = 1 then 'in_progress' else lag(e.data ->> 'to') over w end as due
          from events e where e.promotion_id = s.id and e.type = 'promotion.status_changed'
          window w as (order by e.promotion_seq, e.id)) t) t
      where s.id not in (select id from pruned) and not (t.is_linked
        and case when t.event_count = 0 then 'in_progress' else t.last end is not distinct from s.status)`,
  },
  {
    rule: 'S6.steps',
    text: `select s.id as subject, 'its events do not lead to step ' || s.step as message
      from scope s cross join lateral (
        select coalesce(bool_and(t.was is not distinct from t.due), true) as is_linked, count(*) as event_count,
          (array_agg(t.became order by t.promotion_seq desc nulls first, t.id desc))[1] as last
        from (
          select e.id, e.promotion_seq, e.data ->> 'from' as was, e.data ->> 'to' as became,
            case when row_number() over w = 1 then 'precheck' else lag(e.data ->> 'to') over w end as due
          from events e where e.promotion_id = s.id and e.type = 'promotion.step_changed'
          window w as (order by e.promotion_seq, e.id)) t) t
      where s.id not in (select id from pruned) and not (t.is_linked
        and case when t.event_count = 0 then 'precheck' else t.last end
          is not distinct from case when s.status in ${TERMINAL} then null else s.step end)`,
  },
  {
    rule: 'S6.counts',
    text: `select s.id as subject, 'has too many or too few events of a kind' as message
      from scope s cross join lateral (
        select count(*) filter (where e.type = 'promotion.created') as created,
          count(*) filter (where e.type = 'promotion.cancel_requested') as cancelled,
          count(*) filter (where e.type = 'promotion.approved') as approved,
          count(*) filter (where e.type = 'promotion.rejected_by_person') as rejected,
          count(*) filter (where e.type = 'attempt.ended') as ended,
          count(*) filter (where e.type = 'gate.opened') as opened,
          count(*) filter (where e.type = 'gate.verdict') as verdicts,
          count(*) filter (where e.type = 'lock.released') as unlocked,
          count(*) filter (where e.type = 'environment.released') as released
        from events e where e.promotion_id = s.id) e
      where s.id not in (select id from pruned) and (
        e.created <> 1
        or e.cancelled <> case when s.cancel_requested_at is null then 0 else 1 end
        or e.released <> case when s.status = 'completed' then 1 else 0 end
        or (e.approved, e.rejected) <> (select count(*) filter (where v.decision = 'approved'),
          count(*) filter (where v.decision = 'rejected') from approvals v
          -- One given after the end pays a debt, whose own event tells of it.
          where v.promotion_id = s.id and v.decided_at <= coalesce(s.ended_at, 'infinity'))
        or e.ended <> (select count(*) from attempts a where a.promotion_id = s.id
          and exists (select from attempt_outcomes o where o.operation_id = a.operation_id and not o.is_late))
        or (e.opened, e.verdicts) <> (select count(*), count(g.verdict) from gate_runs g where g.promotion_id = s.id)
        or e.unlocked <> (select count(l.released_at) from locks l where l.promotion_id = s.id))`,
  },
];

export const STATUSES_OF_PROMOTIONS = ofPromotions('statuses', STATUSES);
export const TRAILS_OF_PROMOTIONS = ofPromotions('trails', TRAILS);
