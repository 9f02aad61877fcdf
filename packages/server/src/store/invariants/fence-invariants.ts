/** Fences (S2, S4) and outcomes (S3, S17), as `fence-rules.ts` and `outcome-rules.ts` of the domain have them. */
import { type Invariant, ofPromotions } from './invariant.ts';

const FENCES: readonly Invariant[] = [
  {
    rule: 'S2.drawn',
    text: `select c.subject, 'carries a fence that was never drawn' as message
      from (
        select a.operation_id as subject, a.fence_epoch, a.fence_n from scope s
        join attempts a on a.promotion_id = s.id where a.fence_n is not null and a.fence_epoch is not null
        union all
        select l.id, l.fence_epoch, l.fence_n from scope s join locks l on l.promotion_id = s.id
      ) c cross join installation i cross join fence_numbers f
      where not (c.fence_n > 0 and c.fence_epoch > 0 and c.fence_epoch <= i.epoch
        and c.fence_n <= case when f.is_called then f.last_value else 0 end)`,
  },
  {
    rule: 'S2.order',
    text: `select o.operation_id as subject, 'has a higher fence than one that began later' as message
      from operations o cross join lateral (
        select b.started_at from attempts b join promotions q on q.id = b.promotion_id
        where q.environment = o.environment and b.purpose in ('deploy', 'rollback') and b.fence_n is not null
          and (b.fence_epoch, b.fence_n) < (o.fence_epoch, o.fence_n)
        order by b.fence_epoch desc, b.fence_n desc, b.started_at desc limit 1) b
      where b.started_at > o.started_at`,
  },
  {
    rule: 'S2.anew',
    text: `select o.operation_id as subject, 'shares its fence with another operation' as message from operations o
      where exists (select from attempts b join promotions q on q.id = b.promotion_id
        where q.environment = o.environment and b.purpose in ('deploy', 'rollback') and b.fence_n is not null
          and (b.fence_epoch, b.fence_n) = (o.fence_epoch, o.fence_n) and b.operation_id <> o.operation_id
          and (b.promotion_id <> o.promotion_id or b.subject = o.subject))`,
  },
  {
    rule: 'S4.fenced',
    text: `select a.operation_id as subject, 'is a ' || a.purpose || ' with the wrong kind of guard' as message
      from scope s join attempts a on a.promotion_id = s.id
      where (a.fence_n is not null and a.fence_epoch is not null) <> (a.purpose in ('deploy', 'rollback', 'seal'))`,
  },
];

const OUTCOMES: readonly Invariant[] = [
  {
    rule: 'S3.first',
    text: `select c.operation_id as subject, 'has ' || count(*) || ' outcomes that count' as message from reported c
      group by c.operation_id having count(*) > 1`,
  },
  {
    rule: 'S3.claim',
    text: `select s.id as subject, 'is claimed, and nothing tells of that claim' as message from scope s
      where s.worker_id is not null and not (s.claim_epoch > 0 and s.ended_at is null
        and exists (select from workers w where w.id = s.worker_id))`,
  },
  {
    rule: 'S3.after_end',
    text: `select a.operation_id as subject, 'counts although its promotion had ended' as message
      from scope s join attempts a on a.promotion_id = s.id
      where s.ended_at is not null and (a.started_at > s.ended_at or exists (select from attempt_outcomes o
        where o.operation_id = a.operation_id and not o.is_late and o.ended_at > s.ended_at))`,
  },
  {
    rule: 'S3.causes',
    text: `select distinct c.operation_id as subject, 'ended before it began' as message from reported c
      where c.ended_at < c.started_at`,
  },
  {
    rule: 'S17.operation',
    text: `select a.operation_id as subject, 'is not the name of its intent' as message
      from scope s join attempts a on a.promotion_id = s.id
      where a.operation_id <> concat_ws('.', a.promotion_id, a.purpose, a.subject, a.number)`,
  },
  {
    rule: 'S17.numbers',
    text: `select s.id as subject, 'its attempts are not numbered one after another' as message from scope s
      where exists (select from attempts a where a.promotion_id = s.id
        group by a.purpose, a.subject having count(*) <> max(a.number))`,
  },
];

export const FENCES_OF_PROMOTIONS = ofPromotions('fences', FENCES);
export const OUTCOMES_OF_PROMOTIONS = ofPromotions('outcomes', OUTCOMES);
