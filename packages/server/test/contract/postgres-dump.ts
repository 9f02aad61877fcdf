/** Every row of a PostgreSQL as plain values, read by statements of their own: what was written, whatever reads it. */
import type pg from 'pg';
import type { DumpRow, StoreDump } from './store-world.ts';

/** Instants are Unix milliseconds; where the order of a list means nothing, it is by key. */
const TABLES: Readonly<Record<string, string>> = {
  promotions: 'select * from stella.promotions order by id',
  steps: 'select * from stella.promotion_steps order by promotion_id, step',
  gateRuns: 'select * from stella.gate_runs order by id',
  attempts: `select a.*, k.acknowledged_at, o.worker_id from stella.attempts a
    left join stella.gate_acknowledgements k using (operation_id)
    left join stella.attempt_outcomes o on o.operation_id = a.operation_id and not o.is_late order by a.operation_id`,
  callbacks: 'select * from stella.gate_callbacks order by operation_id',
  outcomes: `select operation_id, is_late, outcome, code, message, digest, sealed, ended_at
    from stella.attempt_outcomes order by operation_id, is_late, outcome, message`,
  outputs: `select o.operation_id, t.output, t.ended_at from stella.attempt_outputs t
    join stella.attempt_outcomes o on o.id = t.outcome_id order by o.operation_id`,
  approvals: 'select * from stella.approvals order by id',
  skips: 'select * from stella.skips order by id',
  debts: 'select * from stella.gate_debts order by id',
  locks: 'select * from stella.locks order by id',
  environments: `select name, version, hash, applied_at, release_id, release_number, released_at, state,
    policy_revision, concurrency, components, stopped_at, stop, operator_freeze as freeze, planned_freezes, quotas,
    quota_requests, floor_epoch, floor_n from stella.environments order by name`,
  releases: 'select id, name, number, created_at from stella.releases order by id',
  workers: 'select id, state, heartbeat_at, lease_until_at from stella.workers order by id',
  events: `select promotion_id, promotion_seq, type, actor, subject, data, at, hash, seq, chain_hash
    from stella.events order by id`,
  chainHead: 'select seq, chain_hash from stella.chain_head',
  settings: 'select * from stella.settings order by key',
  settingChanges: 'select * from stella.setting_changes order by key, version',
  idempotencyKeys: 'select * from stella.idempotency_keys order by actor_id, route, key',
  owedWakes: 'select promotion_id, owed_at from stella.owed_wakes order by id',
  persons: 'select id, issuer, subject, enrolled_by from stella.persons order by id',
  bindings: `select owner_id, role, pattern from stella.role_bindings order by owner_id, role, pattern`,
  tokens: `select id, token_hash, person_id, automation_id, minted_by, name, expires_at, revoked_at
    from stella.tokens order by id`,
  channels: `select name, definition, version, hash, applied_at, seen_seq
    from stella.notification_channels order by name`,
  registries: 'select host, definition, version, hash, applied_at from stella.registries order by host',
  deliveries: `select id, channel, source, promotion_id, environment, notice, state, attempt_count, created_at, opened_at,
    due_at, last_attempt_at, message, ended_at from stella.notifications order by id`,
  probes:
    'select environment, kind, name, probed_at, is_ok, stages from stella.probes order by environment, kind, name',
  rounds: 'select environment, number, due_at, ended_at from stella.observation_rounds order by environment',
  observations: 'select * from stella.target_observations order by environment, target',
  enrolments: 'select * from stella.enrolments order by code_hash',
};

/** In one round trip. */
export async function dumpPostgres(client: pg.Client): Promise<StoreDump> {
  const names = Object.keys(TABLES);
  // Several statements in one text are answered one by one, which the driver's types do not say.
  const answers = (await client.query(Object.values(TABLES).join(';\n'))) as unknown as readonly pg.QueryResult[];
  return Object.fromEntries(names.map((name, index) => [name, (answers[index]?.rows ?? []).map(withSharedNames)]));
}

/** `{ next_action_at: 5, fence_epoch: 1 }` → `{ nextActionAt: 5, fenceEpoch: 1 }`. */
function withSharedNames(row: Record<string, unknown>): DumpRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}
