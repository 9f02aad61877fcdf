/** Who holds what (S1, L4), as `lock-rules.ts` of the domain has it. */
import { type Invariant, ofPromotions, ofStore, TERMINAL } from './invariant.ts';

const IN_QUEUE = "array_position(array['high', 'normal', 'low'], p.priority), p.ticket, p.id";
const SLEEPS = `w.worker_id is null and w.set_aside_at is null and w.quota_wait is null
        and w.next_action_at > $1::timestamptz + interval '2 seconds'`;

/** With `concurrency: per_component`: each component that somebody waits for, how many go before it there, and whether it is held. */
const WANTED = `select p.id, p.environment, p.worker_id, p.set_aside_at, p.quota_wait, p.next_action_at, c.name as component,
    row_number() over (partition by p.environment, c.name order by ${IN_QUEUE}) as place,
    exists (select from locks l where l.released_at is null
      and l.resource = 'environment:' || p.environment || '/' || c.name) as is_held
  from environments e join promotions p on p.environment = e.name and p.ended_at is null and p.ticket is not null
    and p.step = 'acquire_locks' left join release_components c on c.release_id = p.release_id
  where e.concurrency = 'per_component' and e.stopped_at is null`;

const OF_PROMOTIONS: readonly Invariant[] = [
  {
    rule: 'S1.held',
    text: `select s.id as subject, 'is in ' || s.step || ' without all of its locks' as message from scope s
      where s.status not in ${TERMINAL} and s.step in ('deploy', 'verify', 'rollback') and not (
        exists (select from releases r where r.id = s.release_id)
        and not exists (select from release_components c where c.release_id = s.release_id
          and not exists (select from locks l where l.promotion_id = s.id and l.released_at is null
            and l.mode = 'exclusive' and l.resource in ('environment:' || s.environment,
              'environment:' || s.environment || '/' || c.name)))
        and not exists (select from release_components c where c.release_id = s.release_id
          and not exists (select from locks l where l.promotion_id = s.id and l.released_at is null
            and l.resource = 'artifact:' || c.digest)))`,
  },
  {
    rule: 'S2.one_fence',
    text: `select s.id as subject, 'its live locks have different fences' as message from scope s
      where (select count(distinct array[l.fence_epoch, l.fence_n]) from locks l
        where l.promotion_id = s.id and l.released_at is null) > 1`,
  },
  {
    rule: 'L4.let_go',
    text: `select s.id as subject, 'is ' || s.status || ' in ' || s.step || ' and holds locks' as message from scope s
      where (s.status in ${TERMINAL} or s.step not in ('preflight', 'deploy', 'verify', 'rollback'))
        and exists (select from locks l where l.promotion_id = s.id and l.released_at is null)`,
  },
  {
    rule: 'L4.ticket',
    text: `select s.id as subject, 'is ' || s.status || ' in ' || s.step || ' and keeps its place in the queue' as message
      from scope s
      where s.ticket is not null and (s.status in ${TERMINAL} or s.step in ('precheck', 'evaluate_gates'))`,
  },
];

const OF_STORE: readonly Invariant[] = [
  {
    rule: 'S1.exclusive',
    text: `select l.resource as subject, 'held by ' || count(*) || ' live locks although it is exclusive' as message
      from locks l where l.released_at is null group by l.resource
      having (count(*) > 1 and bool_or(l.mode = 'exclusive'))
        or (l.resource like 'environment:%/%' and exists (select from locks a
          where a.released_at is null and a.resource = split_part(l.resource, '/', 1)))`,
  },
  {
    rule: 'L4.turn',
    text: `select w.id as subject, 'sleeps although its place in ' || e.name || ' is free and it is first' as message
      from environments e cross join lateral (
        select p.* from promotions p
        where p.environment = e.name and p.ended_at is null and p.ticket is not null and p.step = 'acquire_locks'
        order by ${IN_QUEUE} limit 1) w
      where e.concurrency = 'exclusive' and e.stopped_at is null and ${SLEEPS}
        and not exists (select from locks l where l.released_at is null and (l.resource = 'environment:' || e.name
          or starts_with(l.resource, 'environment:' || e.name || '/')))
      union all select w.id, 'sleeps although its place in ' || w.environment || ' is free and it is first'
      from (${WANTED}) w where ${SLEEPS}
        and not exists (select from locks l where l.released_at is null and l.resource = 'environment:' || w.environment)
      group by w.id, w.environment having bool_and(w.component is null or (w.place = 1 and not w.is_held))`,
  },
];

export const LOCKS_OF_PROMOTIONS = ofPromotions('locks', OF_PROMOTIONS);
/** $1: the database's clock. */
export const LOCKS_OF_STORE = ofStore('holders', OF_STORE);
