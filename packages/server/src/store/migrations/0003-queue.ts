/** How promotions get their turn: preflight before the locks (`locks.mode optimistic`). */

export const queue = `
-- Revision of the environment when a preflight without locks began; null: none is under way.
alter table promotions add column preflight_revision bigint;
alter table promotions add constraint promotions_preflight_revision
  check (preflight_revision is null or (ended_at is null and step = 'preflight'));
`;
