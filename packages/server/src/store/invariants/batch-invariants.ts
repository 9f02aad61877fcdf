/** S19, as `batch-rules.ts` of the domain has it. */
import { combinedDigest, componentsOf, type Invariant, ofPromotions } from './invariant.ts';

/** Targets that the release has something for, with the batch that each is in; of definitions with a strategy alone. */
const BATCHED = `select s.id, t.item ->> 'name' as target, c.wanted, d.definition #>> '{strategy,kind}' as kind,
    (d.definition #>> '{strategy,soakMs}')::bigint * interval '1 millisecond' as soak,
    case d.definition #>> '{strategy,kind}'
      when 'canary' then case when d.definition #> '{strategy,targets}' ? (t.item ->> 'name') then 0 else 1 end
      else (row_number() over (partition by s.id order by t.n) - 1)
        / (d.definition #>> '{strategy,maxUnavailable}')::bigint end as batch
  from scope s join definitions d on d.hash = s.definition_hash and d.definition -> 'strategy' is not null
  cross join lateral jsonb_array_elements(d.definition -> 'targets') with ordinality t(item, n)
  join lateral (select ${combinedDigest('r')} as wanted from (${componentsOf('t.item')}) k
    left join release_components r on r.release_id = s.release_id and r.name = k.name) c on c.wanted is not null`;

/** A target of a batch has reported what was promised. */
const VERIFIED = `v.promotion_id = u.id and v.purpose = 'batch_verify' and v.subject = u.target
  and v.outcome = 'succeeded' and v.digest is not distinct from u.wanted`;

const OF_PROMOTIONS: readonly Invariant[] = [
  {
    rule: 'S19.in_turn',
    text: `with batched as materialized (${BATCHED})
      select distinct t.id as subject, 'touched a target before the batch before it was verified' as message
      from batched t join attempts a on a.promotion_id = t.id and a.purpose = 'deploy' and a.subject = t.target
      join batched u on u.id = t.id and u.batch < t.batch
      where not exists (select from counted v where ${VERIFIED} and v.ended_at <= a.started_at)`,
  },
  {
    rule: 'S19.judged',
    text: `with batched as materialized (${BATCHED}), soaked as (
        select f.id, max(f.at) as since from (select u.id, u.target, min(v.ended_at) as at from batched u
          join counted v on ${VERIFIED} where u.kind = 'canary' and u.batch = 0 group by u.id, u.target) f group by f.id)
      select distinct t.id as subject, 'went on from its canary without a yes of the judge' as message
      from batched t join soaked k on k.id = t.id
      join attempts a on a.promotion_id = t.id and a.purpose = 'deploy' and a.subject = t.target
      where t.kind = 'canary' and t.batch = 1 and not exists (select from counted j where j.promotion_id = t.id
        and j.purpose = 'judge' and j.outcome = 'passed' and j.started_at >= k.since + t.soak and j.ended_at <= a.started_at)`,
  },
];

export const BATCHES_OF_PROMOTIONS = ofPromotions('batches', OF_PROMOTIONS);
