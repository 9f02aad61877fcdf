/** S12 and S13: hashes recomputed by the database, as `chain-rules.ts` of the domain does. */
import { type Invariant, ofPromotions, ofStore } from './invariant.ts';

const OF_PROMOTIONS: readonly Invariant[] = [
  {
    rule: 'S13.own',
    text: `select s.id as subject, 'its events are not the ones that were chained' as message
      from scope s cross join lateral (
        select coalesce(bool_and(t.hash = t.due and t.promotion_seq is not distinct from t.place), true) as is_chained,
          (array_agg(t.hash order by t.place desc))[1] as head
        from (
          select e.hash, e.promotion_seq, row_number() over w as place,
            event_hash(lag(e.hash) over w, e, row_number() over w) as due
          from events e where e.promotion_id = s.id window w as (order by e.promotion_seq, e.id)) t) t
      where s.id not in (select id from pruned)
        and not (t.is_chained and t.head is not distinct from s.chain_head)`,
  },
];

/** Of events in a part of the global chain: after $1, up to $2. */
const OF_CHAIN: readonly Invariant[] = [
  {
    rule: 'S13.alone',
    text: `select 'event ' || coalesce(e.seq::text, 'without seq') as subject, 'is not the one that was hashed' as message
      from (
        select * from events where seq > $1 and seq <= $2
        union all
        select * from events where seq is null
      ) e where e.promotion_id is null and e.hash <> event_hash(null, e::events, null)`,
  },
  {
    rule: 'S13.link',
    text: `select 'event ' || e.seq as subject, 'is not linked to the one before it' as message
      from events e left join events b on b.seq = e.seq - 1
      where e.seq > $1 and e.seq <= $2 and (e.seq = 1 or b.id is not null)
        and e.chain_hash is distinct from text_digest(coalesce(b.chain_hash, '') || chr(10) || e.hash)`,
  },
];

/** Of the whole log, which is counted. */
const OF_LOG: readonly Invariant[] = [
  {
    rule: 'S13.head',
    text: `select 'chain' as subject, 'ends elsewhere than its head says, or lacks events' as message
      from chain_head h cross join lateral (
        select count(*) as event_count, max(e.seq) as last from events e where e.seq is not null) c
      left join events e on e.seq = c.last
      cross join lateral (select coalesce(sum((p.data ->> 'count')::bigint), 0) as pruned_count from events p
        where p.type = 'retention.pruned' and p.promotion_id is null) p
      where h.seq - c.event_count <> p.pruned_count
        or not (case when c.last is null then (h.seq = 0) = (h.chain_hash is null)
          else c.last < h.seq or (c.last = h.seq and e.chain_hash is not distinct from h.chain_hash) end)`,
  },
];

/** Of effects after $1. */
const OF_KEYS: readonly Invariant[] = [
  {
    rule: 'S12.answered',
    text: `select k.actor_id || ' ' || k.route || ' ' || k.key as subject, 'has an effect and no answer' as message
      from idempotency_keys k where k.created_at > $1 and k.status is null`,
  },
];

export const CHAINS_OF_PROMOTIONS = ofPromotions('chains', OF_PROMOTIONS);
export const CHAIN_LINKS = ofStore('links', OF_CHAIN);
export const CHAIN_HEAD = ofStore('head', OF_LOG);
export const ANSWERED_KEYS = ofStore('keys', OF_KEYS);
