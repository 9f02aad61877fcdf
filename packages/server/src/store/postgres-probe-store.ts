/** The probes' port on PostgreSQL. Each type assertion is on a column that only our own statement writes. */
import { formatProbeSubject, type FreshProbe, type ProbeReport } from '@stella/domain';
import type { ProbeStore } from '../ports/probe-store.ts';
import { type Database, query, type Statement } from './connection.ts';

/** In order of the key, so that two who write the same subjects do not wait for each other in a circle. */
const WRITE: Statement = {
  name: 'probes_write',
  text: `insert into probes (environment, kind, name, probed_at, is_ok, stages)
    select p.environment, p.kind, p.name, date_trunc('milliseconds', clock_timestamp()), p.is_ok, p.stages
    from jsonb_to_recordset($1::jsonb) p (environment text, kind text, name text, is_ok boolean, stages jsonb)
    where exists (select from environments e where e.name = p.environment)
    order by p.environment, p.kind, p.name
    on conflict (environment, kind, name) do update set probed_at = excluded.probed_at, is_ok = excluded.is_ok,
      stages = excluded.stages
    returning environment, kind, name, probed_at, is_ok, stages`,
};

const LIST: Statement = {
  name: 'probe_list',
  text: `select environment, kind, name, probed_at, is_ok, stages from probes
    where $1::text is null or environment = $1 order by environment, kind, name limit 5000`,
};

export function makeProbeStore(database: Database): ProbeStore {
  return {
    recordProbes: async (probes) => {
      if (probes.length === 0) return [];
      return (await query(database, WRITE, [JSON.stringify(newestOfEach(probes).map(toRow))])).map(toReport);
    },
    listProbes: async (environment) => (await query(database, LIST, [environment])).map(toReport),
  };
}

/** One statement touches a row once: of a subject that was probed twice the later report counts. */
function newestOfEach(probes: readonly FreshProbe[]): readonly FreshProbe[] {
  return [...new Map(probes.map((probe) => [formatProbeSubject(probe.subject), probe])).values()];
}

function toRow({ subject, isOk, stages }: FreshProbe): object {
  return { ...subject, is_ok: isOk, stages };
}

function toReport(row: Readonly<Record<string, unknown>>): ProbeReport {
  return {
    subject: {
      kind: row['kind'] as ProbeReport['subject']['kind'],
      environment: String(row['environment']),
      name: String(row['name']),
    },
    atMs: Number(row['probed_at']),
    isOk: row['is_ok'] === true,
    stages: row['stages'] as ProbeReport['stages'],
  };
}
