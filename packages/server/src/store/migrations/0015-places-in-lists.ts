/** Indexes by which lists and the audit find their rows at any size. */

export const placesInLists = `
-- Lists of an environment, newest first of each status; ids sort by time of making.
create index promotions_listed on promotions (environment, status, id);
drop index promotions_environment_listed;

-- What a promotion held, also after it let go: the audit counts it (safety S6, S10).
create index locks_promotion on locks (promotion_id);
`;
