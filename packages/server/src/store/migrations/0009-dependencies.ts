/** Gates of kind dependency; whoever waits at one is found when something completes anywhere. */
import { GATE_KINDS } from '@stella/domain';
import { among } from './among.ts';

export const dependencies = `
alter table gate_runs drop constraint gate_runs_kind_check;
alter table gate_runs add constraint gate_runs_kind_check check (kind in ${among(GATE_KINDS)});
alter table gate_debts drop constraint gate_debts_kind_check;
alter table gate_debts add constraint gate_debts_kind_check check (kind in ${among(GATE_KINDS)});

-- Whoever waits at one is few among many runs, and is looked for by each completion.
create index gate_runs_dependencies on gate_runs (promotion_id) where kind = 'dependency' and state = 'waiting';
`;
