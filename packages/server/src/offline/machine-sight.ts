/** What the processes, files and disk of this machine tell of one data directory. Only looks; never rejects for what is missing. */
import { join } from 'node:path';
import { OWNER_FILE } from '../data-dir/data-dir-owner.ts';
import { parseOwner } from '../data-dir/owner-identity.ts';
import { readReport, type ReportDeps, type ServiceReport } from '../supervision/service-report.ts';
import { placeOf } from '../supervision/service-place.ts';
import { readErrorLines, readFatalLines } from './last-words.ts';
import { type ProcessState, readProcessState } from './process-state.ts';

export interface MachineSight {
  readonly report: ServiceReport;
  /** The process that `server.pid` names, whether it lives or not; null: there is no such file. */
  readonly orchestrator: { readonly pid: number; readonly state: ProcessState | null } | null;
  readonly postmasterState: ProcessState | null;
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number } | null;
  /** Since the last start; null: there is no log to read. */
  readonly orchestratorErrors: readonly string[] | null;
  readonly databaseErrors: readonly string[] | null;
}

/** As `Layout.logFile` of the embedded PostgreSQL, also where no cluster can be laid out. */
const POSTGRES_LOG = 'postgres.log';

export async function lookAtMachine(deps: ReportDeps, dataDir: string): Promise<MachineSight> {
  const { fileSystem } = deps.embedded;
  const report = await readReport(deps, dataDir);
  const { pid: postmasterPid } = report.database;
  const [orchestrator, postmasterState, disk, orchestratorErrors, databaseErrors] = await Promise.all([
    findNamed(deps, dataDir),
    postmasterPid === null ? null : readProcessState(fileSystem, postmasterPid),
    fileSystem.statfs(dataDir).then(
      ({ bavail, blocks, bsize }) => ({ freeBytes: bavail * bsize, totalBytes: blocks * bsize }),
      () => null,
    ),
    readErrorLines(fileSystem, report.logFile ?? placeOf(dataDir).logFile),
    readFatalLines(fileSystem, join(dataDir, POSTGRES_LOG)),
  ]);
  return { report, orchestrator, postmasterState, disk, orchestratorErrors, databaseErrors };
}

async function findNamed(
  { embedded: { fileSystem } }: ReportDeps,
  dataDir: string,
): Promise<MachineSight['orchestrator']> {
  const text = await fileSystem.readFile(join(dataDir, OWNER_FILE), 'utf8').catch(() => null);
  const owner = text === null ? null : parseOwner(text);
  return owner && { pid: owner.pid, state: await readProcessState(fileSystem, owner.pid) };
}
