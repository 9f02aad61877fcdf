/** L1, L2, L3, L7 and L8: what is live goes on, as `wait-rules.ts` of the domain has it. */
import { type Invariant, ofPromotions, TERMINAL } from './invariant.ts';

/** Rules that blame the workers say nothing while none of them lives. */
const WORKER_LIVES = `exists (select from workers v cross join moment t where v.state = 'live'
  and v.lease_until_at > t.now and v.heartbeat_at > t.now - interval '10 seconds')`;

/** The moment was read before these rows: what was written since may sleep from its own moment on. */
const LATEST = 'greatest(t.now, clock_timestamp())';

const OF_PROMOTIONS: readonly Invariant[] = [
  {
    rule: 'L1.next',
    text: `select s.id as subject, 'is ' || s.status || ', its next action says otherwise' as message from scope s
      where (s.status in ${TERMINAL}) <> (s.next_action_at is null)`,
  },
  {
    rule: 'L1.soon',
    text: `select s.id as subject, 'is ' || s.status || ' and sleeps for too long' as message from scope s, moment t
      where s.status not in ${TERMINAL} and s.status not in ('pending_approval', 'scheduled') and s.set_aside_at is null
        and s.next_action_at > ${LATEST} + interval '60 seconds'`,
  },
  {
    rule: 'L2.takeover',
    text: `select s.id as subject, 'is left with ' || s.worker_id || ', which is gone' as message from scope s, moment t
      where s.worker_id is not null and s.next_action_at < t.now - interval '20 seconds' and ${WORKER_LIVES}
        and not exists (select from workers w where w.id = s.worker_id and w.state = 'live')`,
  },
  {
    rule: 'L3.overdue',
    text: `select s.id as subject, 'is due and nobody takes it' as message from scope s, moment t
      where s.worker_id is null and s.next_action_at < t.now - interval '20 seconds' and ${WORKER_LIVES}`,
  },
  {
    rule: 'L3.deadline',
    text: `select s.id as subject, 'sleeps past a deadline of its gates' as message from scope s, moment t
      where s.step = 'evaluate_gates' and s.worker_id is null and s.set_aside_at is null and s.ended_at is null
        and s.next_action_at > t.now and exists (select from gate_runs g where g.promotion_id = s.id
          and g.verdict is null and g.state not in ('passed', 'failed', 'skipped', 'expired')
          and least(g.next_attempt_at, g.deadline_at, g.held_until_at, g.due_at) < s.next_action_at)`,
  },
  {
    rule: 'L3.bounded',
    text: `select s.id as subject, 'is in ' || s.step || ' without a deadline' as message from scope s
      where s.status not in ${TERMINAL} and s.step in ('deploy', 'verify', 'rollback') and s.deploy_deadline_at is null`,
  },
  {
    rule: 'L7.cancel',
    text: `select s.id as subject, 'was cancelled and sleeps on' as message from scope s, moment t
      where s.cancel_requested_at is not null and s.ended_at is null and s.worker_id is null and s.set_aside_at is null
        and s.step not in ('deploy', 'verify', 'rollback')
        and s.next_action_at > greatest(${LATEST}, s.cancel_requested_at + interval '5 seconds')`,
  },
  {
    rule: 'L8.aside',
    text: `select s.id as subject, 'was set aside and is not looked at again' as message from scope s, moment t
      where s.set_aside_at is not null and s.ended_at is null and s.worker_id is null
        and s.next_action_at > greatest(t.now, s.set_aside_at + interval '10 minutes')`,
  },
];

export const WAITS_OF_PROMOTIONS = ofPromotions('waits', OF_PROMOTIONS);
