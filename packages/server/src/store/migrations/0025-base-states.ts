/** What was known of targets that a promotion has not touched. */
import { ENVIRONMENT_STATES } from '@stella/domain';
import { among } from './among.ts';

export const baseStates = `
-- How the environment was when the deploy began: a promotion that ends half-way leaves it mixed, and then nobody could tell.
alter table promotions add column base_state text;
alter table promotions add constraint promotions_base_state check (base_state is null or base_state in ${among(ENVIRONMENT_STATES)});
`;
