/** The priority of a live promotion may be changed, which is a kind of event of its own. */
import { EVENT_TYPES } from '@stella/domain';
import { among } from './among.ts';

export const priority = `
alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});
`;
