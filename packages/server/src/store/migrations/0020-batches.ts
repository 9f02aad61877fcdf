/** Deploys in batches: the operations and events of a batch. */
import { ATTEMPT_PURPOSES, EVENT_TYPES } from '@stella/domain';
import { among } from './among.ts';

export const batches = `
alter table attempts drop constraint attempts_purpose_check;
alter table attempts add constraint attempts_purpose_check check (purpose in ${among(ATTEMPT_PURPOSES)});
alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});
`;
