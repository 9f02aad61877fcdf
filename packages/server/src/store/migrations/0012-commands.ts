/** Gates of kind command. */
import { GATE_KINDS } from '@stella/domain';
import { among } from './among.ts';

export const commands = `
alter table gate_runs drop constraint gate_runs_kind_check;
alter table gate_runs add constraint gate_runs_kind_check check (kind in ${among(GATE_KINDS)});
alter table gate_debts drop constraint gate_debts_kind_check;
alter table gate_debts add constraint gate_debts_kind_check check (kind in ${among(GATE_KINDS)});
`;
