/**
 * One corruption per rule, each a statement that the product never sends. `also` names rules that cannot help but see it,
 * too; every other must stay silent.
 */
import type { RuleName } from '@stella/domain';

export interface Corruption {
  readonly rule: RuleName;
  readonly sql: string;
  readonly also?: readonly RuleName[];
}

const one = (environment: string, where: string): string =>
  `(select id from promotions where environment = '${environment}' and ${where} order by id limit 1)`;
const DONE = one('dev', "status = 'completed'");
const BACK = one('prod', "status = 'rolled_back'");
const TAKEN = one('lab', "status = 'completed'");
const SIGN = one('prod', "status = 'pending_approval'");
const DEPLOYING = one('lab', "step = 'deploy'");
const BIRD = one('bird', "status = 'completed'");
const FLEET = one('fleet', "status = 'completed'");
const WAITING = one('lab', "step = 'acquire_locks'");
const HELD = one('dev', "step = 'precheck'");
const MIXING = one('mix', "step = 'deploy'");
const BEHIND = one('mix', "step = 'acquire_locks'");
const releaseOf = (number: number): string => `(select id from releases where number = ${number})`;
const NOW = '(select at from clock.instant)';
const ZEROS = `'sha256:' || repeat('0', 64)`;
/** The rules that blame the workers say nothing while none of them lives. */
const WORKER_LIVES = `with w as (update workers set heartbeat_at = ${NOW}, lease_until_at = ${NOW} + interval '15 seconds'
  where state = 'live')`;

const outcomeOf = (promotion: string, purpose: string): string =>
  `operation_id = (select operation_id from attempts where promotion_id = ${promotion} and purpose = '${purpose}'
    order by number desc, subject limit 1)`;
const OPEN_DEPLOY = `promotion_id = ${DEPLOYING} and purpose = 'deploy'`;

const LOCKS: readonly Corruption[] = [
  {
    rule: 'S1.exclusive',
    sql: `insert into locks select 'lck_2', resource, mode, promotion_id, fence_epoch, fence_n, acquired_at from locks
      where promotion_id = ${DEPLOYING} and mode = 'exclusive' and released_at is null`,
  },
  { rule: 'S1.held', sql: `delete from locks where promotion_id = ${DEPLOYING} and mode = 'shared'` },
  {
    rule: 'S2.one_fence',
    sql: `update locks set fence_n = fence_n - 1 where promotion_id = ${DEPLOYING} and mode = 'shared'`,
  },
  {
    rule: 'L4.let_go',
    sql: `insert into locks select 'lck_2', resource, mode, promotion_id, fence_epoch, fence_n, acquired_at from locks
      where promotion_id = ${DONE} and mode = 'shared'`,
  },
  { rule: 'L4.ticket', sql: `update promotions set ticket = 999 where id = ${SIGN}` },
  {
    rule: 'L4.turn',
    sql: `update locks set resource = 'environment:none' where promotion_id = ${DEPLOYING} and mode = 'exclusive'`,
    also: ['S1.held'],
  },
];

const OPERATIONS: readonly Corruption[] = [
  { rule: 'S2.drawn', sql: `update attempts set fence_n = 1000000 where ${OPEN_DEPLOY}` },
  { rule: 'S2.order', sql: `update attempts set fence_n = 1 where ${OPEN_DEPLOY}` },
  {
    rule: 'S2.anew',
    sql: `update attempts set fence_n = (select max(fence_n) from attempts where promotion_id = ${TAKEN}
      and purpose = 'deploy') where ${OPEN_DEPLOY}`,
  },
  { rule: 'S4.fenced', sql: `update attempts set fence_epoch = null, fence_n = null where ${OPEN_DEPLOY}` },
  {
    rule: 'S3.first',
    sql: `insert into attempt_outcomes (operation_id, is_late, outcome, code, message, digest, ended_at)
      select operation_id, false, outcome, code, message, digest, ended_at from attempt_outcomes
      where ${outcomeOf(DONE, 'verify')}`,
  },
  { rule: 'S3.claim', sql: `update promotions set claim_epoch = 0 where id = ${DEPLOYING}` },
  {
    rule: 'S3.after_end',
    sql: `update attempt_outcomes set ended_at = ended_at + interval '1 hour' where ${outcomeOf(DONE, 'verify')}`,
  },
  {
    rule: 'S3.causes',
    sql: `update attempt_outcomes set ended_at = '2000-01-01' where ${outcomeOf(DONE, 'verify')}`,
  },
  {
    rule: 'S18.started',
    sql: `update events set data = jsonb_set(data, '{quotas,0,limit}', '0') where promotion_id = ${TAKEN}
      and type = 'lock.acquired'`,
    also: ['S13.own'],
  },
  { rule: 'S17.operation', sql: `update attempts set operation_id = 'another' where ${OPEN_DEPLOY}` },
  {
    rule: 'S17.numbers',
    sql: `update attempts set number = 5, operation_id = promotion_id || '.deploy.web-1.5' where ${OPEN_DEPLOY}`,
  },
];

const ROWS: readonly Corruption[] = [
  {
    rule: 'S5.ended',
    sql: `update promotions set ending_code = 'deploy.failed', ending_message = '' where id = ${DONE}`,
  },
  {
    rule: 'S5.step',
    sql: `update promotion_steps set state = 'failed' where promotion_id = ${DEPLOYING} and step = 'deploy'`,
  },
  {
    rule: 'S5.word',
    sql: `update gate_runs set state = 'pending' where promotion_id = ${SIGN} and kind = 'approval'`,
  },
  { rule: 'S5.version', sql: `update promotions set claim_epoch = version where id = ${DONE}` },
  {
    rule: 'S5.transitions',
    sql: `update events set data = jsonb_set(data, '{from}', '"completed"') where promotion_id = ${DONE}
      and type = 'promotion.status_changed'`,
    also: ['S6.status', 'S13.own'],
  },
  { rule: 'S6.length', sql: `update promotions set chain_length = chain_length + 1 where id = ${DONE}` },
  { rule: 'S6.status', sql: `update promotions set status = 'queued' where id = ${WAITING}` },
  {
    rule: 'S6.steps',
    sql: `with s as (update promotion_steps set step = 'acquire_locks' where promotion_id = ${HELD})
      update promotions set step = 'acquire_locks' where id = ${HELD}`,
  },
  {
    rule: 'S6.counts',
    sql: `delete from locks where promotion_id = ${DONE} and mode = 'shared'`,
  },
];

const RIGHTS: readonly Corruption[] = [
  { rule: 'S7.set', sql: `update gate_runs set state = 'waiting' where promotion_id = ${DONE}` },
  { rule: 'S7.supported', sql: `update attempt_outcomes set outcome = 'failed' where ${outcomeOf(DONE, 'gate')}` },
  { rule: 'S7.bound', sql: `update gate_runs set meaning_hash = ${ZEROS} where promotion_id = ${DONE}` },
  {
    rule: 'S7.validity',
    sql: `update gate_runs set valid_until_at = valid_until_at + interval '1 second' where promotion_id = ${DONE}`,
  },
  {
    rule: 'S7.soaked',
    sql: `update target_observations set broken_until_at = broken_until_at + interval '1 minute'`,
  },
  {
    rule: 'S7.frozen',
    sql: `update environment_definitions set definition = jsonb_set(definition, '{onFailure}', '"hold"')
      where environment = 'lab'`,
  },
  {
    rule: 'S8.intent',
    sql: `insert into attempts (operation_id, promotion_id, purpose, subject, number, fence_epoch, fence_n, started_at,
      deadline_at) select id || '.deploy.web-1.1', id, 'deploy', 'web-1', 1, 1, 1, '2000-01-01', '2000-01-02'
      from promotions where id = ${SIGN}`,
  },
  {
    rule: 'S8.gates',
    sql: `update gate_runs set verdict_at = verdict_at + interval '1 hour',
      valid_until_at = valid_until_at + interval '1 hour' where promotion_id = ${DONE}`,
  },
  {
    rule: 'S8.base',
    sql: `update promotions set base_release_id = (select id from releases where number = 2) where id = ${DEPLOYING}`,
  },
  {
    rule: 'S9.enough',
    sql: `update approvals set decided_at = (select ended_at from promotions where id = ${BACK})
      where promotion_id = ${BACK}`,
  },
  { rule: 'S9.persons', sql: `update approvals set gate = 'another' where promotion_id = ${BACK}` },
  {
    rule: 'S11.predecessors',
    sql: `update promotions set ended_at = (select max(ended_at) - interval '1 millisecond' from promotions
      where environment = 'dev' and status = 'completed') where id = ${DONE}`,
  },
  // The first that completed in its environment, of a release that never was there before.
  { rule: 'S11.back', sql: `update promotions set kind = 'rollback' where id = ${DONE}` },
  {
    rule: 'S11.older',
    sql: `update promotions set base_release_id = (select id from releases where number = 5) where id = ${DEPLOYING}`,
    also: ['S8.base'],
  },
];

const DIGESTS: readonly Corruption[] = [
  { rule: 'S10.verified', sql: `update attempt_outcomes set digest = null where ${outcomeOf(DONE, 'verify')}` },
  {
    rule: 'S10.rolled_back',
    sql: `update attempt_outcomes set digest = null where ${outcomeOf(BACK, 'rollback_verify')}`,
  },
  { rule: 'S10.sent', sql: `update attempt_outcomes set digest = ${ZEROS} where ${outcomeOf(DONE, 'deploy')}` },
  {
    rule: 'S10.locked',
    sql: `update locks set resource = 'artifact:' || ${ZEROS} where promotion_id = ${DONE} and mode = 'shared'`,
  },
  { rule: 'S19.in_turn', sql: `update attempt_outcomes set digest = null where ${outcomeOf(FLEET, 'batch_verify')}` },
  { rule: 'S19.judged', sql: `update attempt_outcomes set outcome = 'failed' where ${outcomeOf(BIRD, 'judge')}` },
  { rule: 'S10.environment', sql: `update environments set release_number = 7 where name = 'dev'` },
];

const CHAINS: readonly Corruption[] = [
  {
    rule: 'S12.answered',
    sql: `insert into idempotency_keys (actor_id, route, key, body_hash, created_at)
      values ('per_1', 'POST /api/v1/promotions', 'one', 'x', ${NOW})`,
  },
  {
    rule: 'S13.own',
    sql: `update events set subject = 'another' where promotion_id = ${DONE} and type = 'promotion.created'`,
  },
  { rule: 'S13.alone', sql: `update events set subject = 'another' where promotion_id is null` },
  { rule: 'S13.link', sql: `update events set chain_hash = ${ZEROS} where seq = 3` },
  { rule: 'S13.head', sql: `update chain_head set seq = seq + 1` },
];

const WAITS: readonly Corruption[] = [
  { rule: 'L1.next', sql: `update promotions set next_action_at = null where id = ${DEPLOYING}` },
  {
    rule: 'L1.soon',
    sql: `update promotions set next_action_at = ${NOW} + interval '1 hour' where id = ${DEPLOYING}`,
  },
  {
    rule: 'L2.takeover',
    sql: `${WORKER_LIVES} update promotions set worker_id = (select id from workers where state = 'dead'),
      next_action_at = ${NOW} - interval '1 minute' where id = ${DEPLOYING}`,
  },
  {
    rule: 'L3.overdue',
    sql: `${WORKER_LIVES} update promotions set next_action_at = ${NOW} - interval '1 minute' where id = ${WAITING}`,
  },
  {
    rule: 'L3.deadline',
    sql: `update promotions set next_action_at = ${NOW} + interval '2 days' where id = ${SIGN}`,
  },
  { rule: 'L3.bounded', sql: `update promotions set deploy_deadline_at = null where id = ${DEPLOYING}` },
  {
    rule: 'L7.cancel',
    sql: `update promotions set cancel_requested_at = ${NOW}, next_action_at = ${NOW} + interval '30 seconds'
      where id = ${WAITING}`,
    also: ['S6.counts'],
  },
  {
    rule: 'L8.aside',
    sql: `update promotions set set_aside_at = ${NOW}, set_aside_message = '',
      next_action_at = ${NOW} + interval '1 hour' where id = ${WAITING}`,
  },
];

export const CORRUPTIONS: readonly Corruption[] = [
  ...LOCKS,
  ...OPERATIONS,
  ...ROWS,
  ...RIGHTS,
  ...DIGESTS,
  ...CHAINS,
  ...WAITS,
];

const MIX_WEB = `promotion_id = ${MIXING} and resource = 'environment:mix/web'`;
const withComponent = (change: string): string => `update environments set components = (
  select jsonb_agg(case c ->> 'component' when 'web' then c || ${change} else c end) from jsonb_array_elements(components) c)
  where name = 'mix'`;

/** Where components are of several releases. */
export const COMPONENT_CORRUPTIONS: readonly Corruption[] = [
  { rule: 'S1.held', sql: `update locks set mode = 'shared' where ${MIX_WEB}` },
  {
    rule: 'S1.exclusive',
    sql: `insert into locks select 'lck_2', 'environment:mix', mode, promotion_id, fence_epoch, fence_n, acquired_at
      from locks where ${MIX_WEB}`,
  },
  {
    rule: 'L4.turn',
    sql: `update locks set resource = 'environment:mix/worker' where ${MIX_WEB}`,
    also: ['S1.held'],
  },
  // Who wants only what nobody holds, and comes behind nobody.
  {
    rule: 'L4.turn',
    sql: `update release_components set name = 'worker' where release_id = ${releaseOf(12)}`,
  },
  { rule: 'S8.base', sql: `update promotions set base_release_id = ${releaseOf(9)} where id = ${MIXING}` },
  {
    rule: 'S11.older',
    sql: `update promotions set base_release_id = 'api=' || ${releaseOf(9)} || ',web=' || ${releaseOf(11)}
      where id = ${MIXING}`,
    also: ['S8.base'],
  },
  { rule: 'S10.environment', sql: withComponent(`'{"releaseNumber": 2}'`) },
  {
    rule: 'S10.environment',
    sql: withComponent(`jsonb_build_object('releaseId', ${releaseOf(10)}, 'releaseNumber', 10)`),
  },
  { rule: 'S10.environment', sql: withComponent(`'{"state": "mixed"}'`) },
  // The oldest row; what is said of the whole follows from those that are left.
  {
    rule: 'S10.environment',
    sql: `update environments e set (components, release_id, release_number, state) = (
        select jsonb_agg(c), case when count(distinct c ->> 'releaseId') = 1 then max(c ->> 'releaseId') end,
          max((c ->> 'releaseNumber')::bigint), case when bool_and(c ->> 'state' = 'whole') then 'whole' else e.state end
        from jsonb_array_elements(e.components) c
        where (c ->> 'releasedAtMs')::bigint > (select min((o ->> 'releasedAtMs')::bigint)
          from jsonb_array_elements(e.components) o))
      where name = 'mix'`,
  },
  { rule: 'S10.environment', sql: `update environments set release_id = ${releaseOf(9)} where name = 'mix'` },
  {
    rule: 'S10.verified',
    sql: `update attempt_outcomes set digest = null
      where ${outcomeOf(one('mix', "status = 'completed'"), 'verify')}`,
  },
  { rule: 'L1.soon', sql: `update promotions set next_action_at = ${NOW} + interval '1 hour' where id = ${BEHIND}` },
];
