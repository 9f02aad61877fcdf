/** How promotions get their turn: preflight before the locks (`locks.mode optimistic`), `queue: latest`. */

export const queue = `
-- Revision of the environment when a preflight without locks began; null: none is under way.
alter table promotions add column preflight_revision bigint;
alter table promotions add constraint promotions_preflight_revision
  check (preflight_revision is null or (ended_at is null and step = 'preflight'));

-- Definitions that were applied before have no word for it; their hashes leave the default out.
update environment_definitions set definition = definition || '{"queue": "fifo"}';
`;
