/** The probes' port in memory. */
import { formatProbeSubject, type ProbeReport } from '@stella/domain';
import type { ProbeStore } from '@stella/server';
import { autocommit, type MemoryConnections } from './memory-session.ts';

export function makeMemoryProbeStore(connections: MemoryConnections): ProbeStore {
  return {
    recordProbes: (probes) => {
      if (probes.length === 0) return Promise.resolve([]);
      return autocommit(connections, 'recordProbes.write', (tx) => {
        const atMs = connections.nowMs();
        const known = probes.filter(({ subject }) => tx.get(tx.state.environments, subject.environment) !== undefined);
        const kept = new Map(
          known.map((probe): [string, ProbeReport] => [formatProbeSubject(probe.subject), { ...probe, atMs }]),
        );
        for (const [key, report] of kept) tx.put(tx.state.probes, key, report);
        return [...kept.values()].sort(bySubject);
      });
    },
    listProbes: (environment) =>
      autocommit(connections, 'listProbes.read', (tx) =>
        [...tx.rows(tx.state.probes)]
          .filter(({ subject }) => environment === null || subject.environment === environment)
          .sort(bySubject),
      ),
  };
}

function bySubject({ subject: a }: ProbeReport, { subject: b }: ProbeReport): number {
  return byText(a.environment, b.environment) || byText(a.kind, b.kind) || byText(a.name, b.name);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
