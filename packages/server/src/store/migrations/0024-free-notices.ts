/** Notices are collected without any hold on promotions. */

export const freeNotices = `
-- The check of a reference locks the promotion's row until the commit: it waited for ticks, and claims left out what it held.
-- Promotions are never deleted, so nothing is lost with it.
alter table notifications drop constraint notifications_promotion_id_fkey;
`;
