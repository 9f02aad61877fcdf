/** S18, as `quota-rules.ts` of the domain has it. */
import { type Invariant, ofPromotions } from './invariant.ts';

const OF_OTHERS = `l.mode = 'exclusive' and l.promotion_id <> s.id
  and split_part(l.resource, '/', 1) = 'environment:' || s.environment and l.acquired_at < e.at`;
const SINCE = `to_timestamp((q.item ->> 'sinceMs')::numeric / 1000)`;

const OF_PROMOTIONS: readonly Invariant[] = [
  {
    rule: 'S18.started',
    text: `select s.id as subject, 'started although a quota was used up' as message from scope s
      where exists (select from events e cross join lateral jsonb_array_elements(
          case when jsonb_typeof(e.data -> 'quotas') = 'array' then e.data -> 'quotas' else '[]' end) q(item)
        where e.promotion_id = s.id and e.type = 'lock.acquired'
          and case when jsonb_typeof(q.item -> 'limit') = 'number' then (q.item ->> 'limit')::numeric end < 1 + case
            when jsonb_typeof(q.item -> 'sinceMs') = 'number' then (select count(distinct l.promotion_id) from locks l
              where ${OF_OTHERS} and l.acquired_at >= ${SINCE} and not exists (select from locks f
                where f.promotion_id = l.promotion_id and f.mode = 'exclusive' and f.acquired_at < ${SINCE}
                  and split_part(f.resource, '/', 1) = 'environment:' || s.environment))
            else (select count(distinct l.promotion_id) from locks l
              where ${OF_OTHERS} and (l.released_at is null or l.released_at > e.at)) end)`,
  },
];

export const QUOTAS_OF_PROMOTIONS = ofPromotions('quotas', OF_PROMOTIONS);
