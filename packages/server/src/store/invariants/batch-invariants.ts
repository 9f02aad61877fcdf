/** S19, as `batch-rules.ts` of the domain has it. */
import { type Invariant, ofPromotions } from './invariant.ts';

/** Targets that the release has something for, with the batch that each is in; of definitions with a strategy alone. */
const BATCHED = `select s.id, t.item ->> 'name' as target, c.digest as wanted,
    (row_number() over (partition by s.id order by t.n) - 1) / (d.definition #>> '{strategy,maxUnavailable}')::bigint as batch
  from scope s join definitions d on d.hash = s.definition_hash and d.definition -> 'strategy' is not null
  cross join lateral jsonb_array_elements(d.definition -> 'targets') with ordinality t(item, n)
  join release_components c on c.release_id = s.release_id and c.name = t.item ->> 'component'`;

const OF_PROMOTIONS: readonly Invariant[] = [
  {
    rule: 'S19.in_turn',
    text: `with batched as materialized (${BATCHED})
      select distinct t.id as subject, 'touched a target before the batch before it was verified' as message
      from batched t join attempts a on a.promotion_id = t.id and a.purpose = 'deploy' and a.subject = t.target
      join batched u on u.id = t.id and u.batch < t.batch
      where not exists (select from counted v where v.promotion_id = t.id and v.purpose = 'batch_verify'
        and v.subject = u.target and v.outcome = 'succeeded' and v.digest is not distinct from u.wanted
        and v.ended_at <= a.started_at)`,
  },
];

export const BATCHES_OF_PROMOTIONS = ofPromotions('batches', OF_PROMOTIONS);
