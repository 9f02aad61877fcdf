/** The newest report of each probed subject. Reports are no part of any promotion: to lose one only costs a new look. */
import type { FreshProbe, ProbeReport } from '@stella/domain';

export interface ProbeStore {
  /** One transaction; answers the reports as they are kept. Those of environments that are not there are dropped. */
  recordProbes(probes: readonly FreshProbe[]): Promise<readonly ProbeReport[]>;
  /** Ordered by environment, kind, name; at most 5,000. `environment: null`: all. */
  listProbes(environment: string | null): Promise<readonly ProbeReport[]>;
}
