/** Who brought the outcome of an attempt, for whoever reads a trace. */

export const workersOfAttempts = `
-- Null for those from before, for late ones, and when a callback or a rule ended the attempt.
alter table attempt_outcomes add column worker_id text;
`;
