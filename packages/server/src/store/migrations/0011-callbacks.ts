/** Gates that are called back: which questions were taken, and the verdicts that came. */
export const callbacks = `
-- The service has taken the question of this attempt; nobody asks it again.
create table gate_acknowledgements (
  operation_id text primary key references attempts (operation_id),
  acknowledged_at timestamptz not null
);

-- One verdict per operation: of an attempt, or of one asking of a debt. A sender's id counts once per gate run.
create table gate_callbacks (
  operation_id text primary key,
  gate_run_id text not null references gate_runs (id),
  webhook_id text not null,
  verdict text not null check (verdict in ('passed', 'failed')),
  message text not null,
  body text not null,
  received_at timestamptz not null,
  unique (gate_run_id, webhook_id)
);
`;

/** Written once. */
export const callbacksGrants = `
grant select, insert on gate_acknowledgements, gate_callbacks to {app};
revoke update on gate_acknowledgements, gate_callbacks from {app};
`;
