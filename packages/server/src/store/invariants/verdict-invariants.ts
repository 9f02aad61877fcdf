/** S7, S8, S9 and S11: verdicts and the right to deploy, as `verdict-rules.ts` and `right-rules.ts` of the domain have them. */
import { FREEZE_GATE, LOCK_COMMIT_MS_MAX } from '@stella/domain';
import { baseOf, byComponent, type Invariant, ofPromotions } from './invariant.ts';

/** Its base is looked at component by component. */
const IN_PARTS = `(${byComponent('s.id', 's.environment')} or strpos(s.base_release_id, '=') > 0)`;

/** Declared gates, and the one that a freeze adds. */
const GATES = `jsonb_array_elements((d.definition -> 'gates') || '[${JSON.stringify(FREEZE_GATE)}]'::jsonb) with ordinality t (gate, n)`;

/** Whether a promotion of its kind has to pass the gate `wanted`, as `gatesOf` of the domain has it. */
const ASKED = `case s.kind when 'rollback' then wanted ->> 'kind' in ('approval', 'window')
    or coalesce(wanted ->> 'onRollback', '') = 'ask'
  else not (s.is_forced and wanted ->> 'kind' = 'soak') end`;

const VERDICTS: readonly Invariant[] = [
  {
    rule: 'S7.set',
    text: `select g.id as subject, 'is ' || g.state || ' with verdict ' || coalesce(g.verdict, 'none') as message
      from scope s join gate_runs g on g.promotion_id = s.id
      where (g.verdict is null) <> (g.verdict_at is null)
        or not (case when g.state in ('passed', 'failed') then g.verdict is not distinct from g.state
          else g.verdict is null or (g.verdict = 'passed' and g.state = 'expired') end)`,
  },
  {
    rule: 'S7.supported',
    text: `select g.id as subject, 'is ' || g.verdict || ', and nobody said so' as message
      from scope s join gate_runs g on g.promotion_id = s.id
      where g.verdict is not null and not (case
        when g.kind in ('http', 'command') then exists (select from counted c where c.promotion_id = s.id
          and c.gate_run_id = g.id and c.outcome = g.verdict)
        when g.kind = 'approval' then exists (select from approvals v where v.gate_run_id = g.id and v.promotion_id = s.id
          and case g.verdict when 'failed' then v.decision = 'rejected'
            else v.decision = 'approved' and v.person_id is distinct from s.requester end)
        else true end)`,
  },
  {
    rule: 'S7.bound',
    text: `select g.id as subject, 'is not bound to the gate ' || g.gate || ' of its definition' as message
      from scope s join gate_runs g on g.promotion_id = s.id join definitions d on d.hash = s.definition_hash
      where not exists (select from ${GATES}
        where t.gate ->> 'name' = g.gate and t.gate ->> 'kind' = g.kind and g.meaning_hash = json_digest(
          t.gate - array['validForMs', 'skip', 'timeoutMs', 'retryCount', 'backoffMs', 'deadlineMs', 'pollIntervalMs',
            'slaMs', 'probe']))`,
  },
  {
    rule: 'S7.validity',
    text: `select g.id as subject, 'counts for another time than was declared' as message
      from scope s join gate_runs g on g.promotion_id = s.id join definitions d on d.hash = s.definition_hash
      where g.valid_until_at is distinct from case when g.verdict = 'passed' then g.verdict_at
        + coalesce((select (t.gate ->> 'validForMs')::bigint from ${GATES}
          where t.gate ->> 'name' = g.gate order by t.n limit 1), 0) * interval '1 millisecond' end`,
  },
  {
    rule: 'S7.soaked',
    text: `select g.id as subject, 'passed though what soaked was broken meanwhile' as message
      from scope s join gate_runs g on g.promotion_id = s.id join definitions d on d.hash = s.definition_hash
      cross join lateral (select t.gate from ${GATES} where t.gate ->> 'name' = g.gate order by t.n limit 1) w
      where g.kind = 'soak' and w.gate ->> 'kind' = 'soak' and g.verdict = 'passed' and exists (
        select from target_observations o
        where o.environment in (select jsonb_array_elements_text(w.gate -> 'environments'))
          and o.broken_since_at + interval '${LOCK_COMMIT_MS_MAX} milliseconds' <= g.verdict_at
          and coalesce(o.broken_until_at, case when o.promised is null then o.broken_since_at else o.seen_at end,
            o.broken_since_at)
            > g.verdict_at - (w.gate ->> 'durationMs')::bigint * interval '1 millisecond'
          and exists (select from release_components c where c.release_id = s.release_id
            and o.broken_components ? c.name))`,
  },
  {
    rule: 'S7.frozen',
    text: `select s.id as subject, 'its definition is not the one that its hash is of' as message
      from (select hash from definitions d where json_digest(d.definition
        - case d.definition ->> 'queue' when 'fifo' then 'queue' else '' end
        - case d.definition -> 'freezes' when '[]' then 'freezes' else '' end
        - case d.definition ->> 'concurrency' when 'exclusive' then 'concurrency' else '' end) <> d.hash offset 0) d
      join scope s on s.definition_hash = d.hash`,
  },
];

const RIGHTS: readonly Invariant[] = [
  {
    rule: 'S8.intent',
    text: `select s.id as subject, 'was deployed without having come to that step' as message from scope s
      where exists (select from attempts a where a.promotion_id = s.id and a.purpose = 'deploy')
        and not exists (select from promotion_steps r where r.promotion_id = s.id and r.step = 'deploy'
          and r.started_at is not null)`,
  },
  {
    rule: 'S8.gates',
    text: `select distinct s.id as subject, 'was deployed though a gate had not passed' as message
      from scope s join starts t on t.id = s.id join definitions d on d.hash = s.definition_hash
      cross join lateral jsonb_array_elements(d.definition -> 'gates') wanted
      left join lateral (select g.* from gate_runs g where g.promotion_id = s.id and g.gate = wanted ->> 'name'
        order by g.round desc, g.id desc limit 1) g on true
      where ${ASKED} and not coalesce(g.verdict = 'passed' and g.verdict_at <= t.at and t.at < g.valid_until_at, false)
        and not (coalesce(g.state, '') = 'skipped' and exists (select from skips k where k.promotion_id = s.id
          and k.gate_run_id = g.id and k.state = 'used' and k.decided_by <> k.requested_by
          and k.decided_by is distinct from s.requester and k.decided_at <= t.at and t.at < k.expires_at
          and k.base_release_id is not distinct from s.base_release_id and k.definition_hash = s.definition_hash))`,
  },
  {
    rule: 'S8.base',
    // Who completed in its very millisecond may have handed the lock over to it at once.
    text: `select s.id as subject, 'was deployed over another release than its base' as message
      from scope s join starts t on t.id = s.id cross join lateral (
        select q.release_id from promotions q where q.environment = s.environment and q.status = 'completed'
          and q.ended_at < t.at and q.id <> s.id order by q.ended_at desc, q.id desc limit 1) q
      where s.base_release_id is not null and q.release_id <> s.base_release_id
        and not ${IN_PARTS} and not exists (select from promotions w where w.environment = s.environment
          and w.status = 'completed' and w.ended_at = t.at and w.id <> s.id and w.release_id = s.base_release_id)
      union select distinct s.id, 'was deployed over another release than its base'
      from scope s join starts t on t.id = s.id join release_components c on c.release_id = s.release_id
      cross join lateral (
        select (select b.release_id from release_components b
          where b.release_id = ${baseOf('c.name')} and b.name = c.name) as release_id) base
      cross join lateral (
        select k.release_id from promotions q
        left join release_components k on k.release_id = q.release_id and k.name = c.name
        where q.environment = s.environment and q.status = 'completed' and q.ended_at < t.at and q.id <> s.id
          and (k.release_id is not null or not ${byComponent('q.id', 's.environment')})
        order by q.ended_at desc, q.id desc limit 1) q
      where s.base_release_id is not null and ${IN_PARTS} and q.release_id is distinct from base.release_id
        and not exists (select from promotions w
          left join release_components k on k.release_id = w.release_id and k.name = c.name
          where w.environment = s.environment and w.status = 'completed' and w.ended_at = t.at and w.id <> s.id
            and (k.release_id is not null or not ${byComponent('w.id', 's.environment')})
            and k.release_id is not distinct from base.release_id)`,
  },
  {
    rule: 'S9.enough',
    text: `select distinct s.id as subject, 'was deployed with too few approvals' as message
      from scope s join starts t on t.id = s.id join definitions d on d.hash = s.definition_hash
      cross join lateral jsonb_array_elements(d.definition -> 'gates') wanted
      where wanted ->> 'kind' = 'approval'
        and coalesce((select g.state from gate_runs g where g.promotion_id = s.id and g.gate = wanted ->> 'name'
          order by g.round desc, g.id desc limit 1), '') <> 'skipped'
        and (wanted ->> 'count')::bigint > (
        select count(distinct v.person_id) from approvals v join persons n on n.id = v.person_id
        where v.promotion_id = s.id and v.decision = 'approved' and v.decided_at <= t.at
          and v.person_id is distinct from s.requester and v.base_release_id is not distinct from s.base_release_id
          and v.definition_hash = s.definition_hash
          and (wanted -> 'group' = 'null' or wanted -> 'group' ? n.subject)
          and v.gate_run_id = (select g.id from gate_runs g where g.promotion_id = s.id and g.gate = wanted ->> 'name'
            order by g.round desc, g.id desc limit 1))`,
  },
  {
    rule: 'S9.persons',
    text: `select v.id as subject, 'is not a decision that this person could make' as message
      from scope s join approvals v on v.promotion_id = s.id
      where (v.decision = 'approved' and v.person_id is not distinct from s.requester)
        or not exists (select from gate_runs g where g.id = v.gate_run_id and g.promotion_id = s.id
          and g.kind = 'approval' and g.gate = v.gate)
        or exists (select from approvals w where w.promotion_id = s.id and w.id <> v.id
          and w.gate_run_id = v.gate_run_id and w.person_id = v.person_id)`,
  },
  {
    rule: 'S11.predecessors',
    text: `select distinct s.id as subject, 'was deployed before it completed in ' || place.name as message
      from scope s join starts t on t.id = s.id join definitions d on d.hash = s.definition_hash
      cross join lateral jsonb_array_elements_text(d.definition -> 'promotesFrom') place (name)
      where (s.kind = 'promote' and not exists (
          select from promotions q where q.release_id = s.release_id and q.environment = place.name
          and q.status = 'completed' and coalesce(q.ended_at <= t.at, true)))
        or (s.kind = 'deploy' and not s.is_forced and exists (select from release_components c
          where c.release_id = s.release_id and not exists (select from promotions q
            join release_components k on k.release_id = q.release_id and k.name = c.name and k.digest = c.digest
            where q.environment = place.name and q.status = 'completed' and coalesce(q.ended_at <= t.at, true))))`,
  },
  {
    rule: 'S11.back',
    text: `select s.id as subject, 'went back to what never completed there' as message
      from scope s join starts t on t.id = s.id
      where s.kind = 'rollback' and not exists (select from promotions q where q.release_id = s.release_id
        and q.environment = s.environment and q.id <> s.id and q.status = 'completed'
        and coalesce(q.ended_at <= t.at, true))`,
  },
  {
    rule: 'S11.older',
    text: `select distinct s.id as subject, 'was deployed over a newer release' as message
      from scope s join starts t on t.id = s.id
      join releases below on below.id = any (regexp_split_to_array(s.base_release_id, '[,=]'))
      left join releases r on r.id = s.release_id
      where s.kind = 'promote' and below.number > coalesce(r.number, 0)`,
  },
];

export const VERDICTS_OF_PROMOTIONS = ofPromotions('verdicts', VERDICTS);
export const RIGHTS_OF_PROMOTIONS = ofPromotions('rights', RIGHTS);
