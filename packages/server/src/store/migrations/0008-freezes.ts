/** Gates of kind window, and freezes: what an operator has set, and what the newest definition plans. */
import { EVENT_TYPES, GATE_KINDS } from '@stella/domain';
import { among } from './among.ts';

export const freezes = `
alter table environments
  -- The newest that an operator has set, also when it is over; its versions are the audit log's.
  add column operator_freeze jsonb,
  -- Of the newest version of the definition.
  add column planned_freezes jsonb not null default '[]';

-- Definitions that were applied before plan none; their hashes leave that out.
update environment_definitions set definition = definition || '{"freezes": []}';

alter table gate_runs drop constraint gate_runs_kind_check;
alter table gate_runs add constraint gate_runs_kind_check check (kind in ${among(GATE_KINDS)});
alter table gate_debts drop constraint gate_debts_kind_check;
alter table gate_debts add constraint gate_debts_kind_check check (kind in ${among(GATE_KINDS)});

alter table events drop constraint events_type_check;
alter table events add constraint events_type_check check (type in ${among(EVENT_TYPES)});
`;
