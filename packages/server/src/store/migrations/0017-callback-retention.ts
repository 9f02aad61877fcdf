/** What services called back with goes after its time. */

export const callbackRetention = `
-- Retention removes the oldest.
create index gate_callbacks_received on gate_callbacks (received_at);
-- Likewise.
create index gate_acknowledgements_acknowledged on gate_acknowledgements (acknowledged_at);
`;

export const callbackRetentionGrants = `
grant delete on gate_acknowledgements, gate_callbacks to {app};
`;
