/** What a promotion is for: its kind, and whether a deploy steps around the predecessors. */
import { PROMOTION_KINDS } from '@stella/domain';
import { among } from './among.ts';

export const promotionKinds = `
alter table promotions
  add column kind text not null default 'promote' check (kind in ${among(PROMOTION_KINDS)}),
  add column is_forced boolean not null default false;
alter table promotions add constraint promotions_is_forced check (not is_forced or kind = 'deploy');
-- Which releases have an artifact, asked for by its digest.
create index release_components_digest on release_components (digest);
-- Said by whoever makes one.
alter table promotions alter column kind drop default, alter column is_forced drop default;
`;
