/** S10: what was resolved is what was locked, sent and observed, as `digest-rules.ts` of the domain has it. */
import { COMPLETIONS_COMPARED_MAX, STATES_BY_HARM } from '@stella/domain';
import {
  baseOf,
  byComponent,
  combinedDigest,
  componentsOf,
  type Invariant,
  ofPromotions,
  ofStore,
} from './invariant.ts';

const HARM = `array[${STATES_BY_HARM.map((word) => `'${word}'`).join(', ')}]`;

/** Targets with their promised digests, forward and back. */
const TARGETS = `select s.id, s.status, s.environment, t ->> 'name' as target, p.wanted, p.before
  from scope s join definitions d on d.hash = s.definition_hash
  cross join lateral jsonb_array_elements(d.definition -> 'targets') t
  cross join lateral (select ${combinedDigest('c')} as wanted, ${combinedDigest('b')} as before
    from (${componentsOf('t')}) k
    left join release_components c on c.release_id = s.release_id and c.name = k.name
    left join release_components b on b.release_id = ${baseOf('k.name')} and b.name = k.name) p`;

/** Of the row `s` before it: joined for each attempt, all of them would be made for each. */
const TARGETS_OF_ONE = TARGETS.replace('from scope s', () => 'from (select s.*) s');

/** A component is not of what was completed last with it. */
const COMPONENTS_DIFFER = `exists (select from jsonb_array_elements(e.components) c
    left join releases own on own.id = c ->> 'releaseId'
    left join lateral (select q.release_id, q.ended_at from promotions q
      where q.environment = e.name and q.status = 'completed' and exists (select from release_components k
        where k.release_id = q.release_id and k.name = c ->> 'component')
      order by q.ended_at desc, q.id desc limit 1) q on true
    where c ->> 'releaseId' is not null and (own.number is distinct from (c ->> 'releaseNumber')::bigint
      or not (q.ended_at is null or c ->> 'releasedAtMs' is null
        or (extract(epoch from q.ended_at) * 1000)::bigint < (c ->> 'releasedAtMs')::bigint
        or (q.release_id = c ->> 'releaseId'
          and (extract(epoch from q.ended_at) * 1000)::bigint = (c ->> 'releasedAtMs')::bigint))))`;

/** A component of what completed there, back to the last promotion that held the whole environment, has no row. */
const ROW_VANISHED = `exists (select from (
      select v.release_id, coalesce(bool_and(v.is_of_parts) over (order by v.ended_at desc, v.id desc
        rows between unbounded preceding and 1 preceding), true) as counts
      from (select w.id, w.release_id, w.ended_at, exists (select from locks l where l.promotion_id = w.id
          and starts_with(l.resource, 'environment:' || e.name || '/')) as is_of_parts
        from promotions w where w.environment = e.name and w.status = 'completed' and w.ended_at <= e.released_at
          and w.ended_at > coalesce((select max(g.at) from events g
            where g.type = 'environment.removed' and g.subject = e.name), '-infinity')
        order by w.ended_at desc, w.id desc limit ${COMPLETIONS_COMPARED_MAX}) v) q
    join release_components k on k.release_id = q.release_id
    where q.counts and not exists (select from jsonb_array_elements(e.components) c where c ->> 'component' = k.name))`;

/** What is said of the whole does not follow from its components. */
const SUMMARY_DIFFERS = `(e.components <> '[]' and (select
      case when count(distinct coalesce(c ->> 'releaseId', '')) = 1 then max(c ->> 'releaseId') end
        is distinct from e.release_id
      or max((c ->> 'releaseNumber')::bigint) is distinct from e.release_number
      or min(array_position(${HARM}, c ->> 'state')) is distinct from array_position(${HARM}, e.state)
    from jsonb_array_elements(e.components) c))`;

/** It is of one release, or nothing was verified there: the last completion of all tells. */
const WHOLE_DIFFERS = `((e.release_id is not null or not exists (select from jsonb_array_elements(e.components) c
      where c ->> 'releaseId' is not null))
    and (coalesce(r.number, 0) <> e.release_number
      or not (p.ended_at is null or e.released_at is null or p.ended_at < e.released_at
        or (p.release_id is not distinct from e.release_id and p.ended_at = e.released_at))))`;

/** The outcome of the last attempt of a purpose at a target; no row while there is none. */
const LAST = `select o.outcome, o.digest from (select a.operation_id from attempts a
    where a.promotion_id = t.id and a.subject = t.target and a.purpose = $purpose order by a.number desc, a.operation_id desc limit 1) a
  join counted o on o.operation_id = a.operation_id`;

const LAST_VERIFY = LAST.replace('$purpose', () => "'verify'");
const LAST_ROLLBACK_VERIFY = LAST.replace('$purpose', () => "'rollback_verify'");

const OF_PROMOTIONS: readonly Invariant[] = [
  {
    rule: 'S10.verified',
    text: `select distinct t.id as subject, 'is completed though not every target reported its digest' as message
      from (${TARGETS}) t where t.status = 'completed'
        and not (t.wanted is null and ${byComponent('t.id', 't.environment')}) and not exists (select from (${LAST_VERIFY}) o
        where o.outcome = 'succeeded' and o.digest is not distinct from t.wanted)`,
  },
  {
    rule: 'S10.rolled_back',
    text: `select distinct t.id as subject, 'is rolled back though not every target reported the digest of before' as message
      from (${TARGETS}) t where t.status = 'rolled_back'
        and exists (select from attempts a where a.promotion_id = t.id and a.purpose = 'deploy' and a.subject = t.target)
        and not exists (select from (${LAST_ROLLBACK_VERIFY}) o
          where o.outcome = 'succeeded' and o.digest is not distinct from t.before)`,
  },
  {
    rule: 'S10.sent',
    text: `select c.operation_id as subject, 'answered ' || c.digest || ' instead of what was promised' as message
      from counted c cross join lateral (select * from promotions p where p.id = c.promotion_id) s
      left join lateral (${TARGETS_OF_ONE}) t on t.target = c.subject
      left join release_components r on r.release_id = s.release_id and r.name = c.subject
      where c.outcome = 'succeeded' and c.digest is not null and case c.purpose
        when 'deploy' then c.digest is distinct from t.wanted
        when 'rollback' then c.digest is distinct from t.before
        when 'precheck_artifact' then c.digest is distinct from r.digest
        when 'preflight_artifact' then c.digest is distinct from r.digest
        else false end`,
  },
  {
    rule: 'S10.locked',
    text: `select l.id as subject, 'keeps ' || l.resource || ', which its release does not hold' as message
      from scope s join locks l on l.promotion_id = s.id
      where starts_with(l.resource, 'artifact:') and not exists (select from release_components c
        where c.release_id = s.release_id and l.resource = 'artifact:' || c.digest)`,
  },
];

const OF_STORE: readonly Invariant[] = [
  {
    rule: 'S10.environment',
    text: `select e.name as subject, 'does not run what completed there last' as message
      from environments e left join releases r on r.id = e.release_id left join lateral (
        select p.release_id, p.ended_at from promotions p where p.environment = e.name and p.status = 'completed'
        order by p.ended_at desc, p.id desc limit 1) p on true
      where ${WHOLE_DIFFERS} or ${COMPONENTS_DIFFER} or ${ROW_VANISHED} or ${SUMMARY_DIFFERS}`,
  },
];

export const DIGESTS_OF_PROMOTIONS = ofPromotions('digests', OF_PROMOTIONS);
export const DIGESTS_OF_STORE = ofStore('environments', OF_STORE);
