/** The newest probe of each target, gate and registry, and the index by which attempts of a gate are counted. */
import { type AttemptPurpose, PROBE_SUBJECT_KINDS } from '@stella/domain';
import { among } from './among.ts';

const GATE_PURPOSE: AttemptPurpose = 'gate';

export const probes = `
-- One row per subject, written over by each newer look; it refers to no environment's row, which ticks lock.
create table probes (
  environment text not null,
  kind text not null check (kind in ${among(PROBE_SUBJECT_KINDS)}),
  name text not null,
  probed_at timestamptz not null,
  is_ok boolean not null,
  stages jsonb not null,
  primary key (environment, kind, name)
);

-- How a gate's service has answered of late, over all promotions.
create index attempts_gate on attempts (subject, started_at) where purpose = '${GATE_PURPOSE}';
`;

export const probesGrants = `
grant select, insert, update, delete on probes to {app};
`;
