/** Rollbacks and deploys in lists. */

export const kindsInLists = `
-- They are few: among a million promotions a page of them would be looked for everywhere.
create index promotions_other_kinds_listed on promotions (id) where kind <> 'promote';
`;
