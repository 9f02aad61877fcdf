/** What `stella service` needs of this machine; loaded without the server's own parts, so that it starts soon. */
import { homedir } from 'node:os';
import type { Logger } from '../ports/logger.ts';
import { installService, type Installed, type InstallOrder } from '../supervision/install.ts';
import { differences, readInstallation, secretVariables, serverVariables } from '../supervision/installation.ts';
import type { ControlDeps } from '../supervision/service-control.ts';
import { placeOf } from '../supervision/service-place.ts';
import { startSupervisor, type Supervisor } from '../supervision/supervisor.ts';
import { isSystemdHere } from '../supervision/systemd.ts';
import { nodeClock } from '../system/node-clock.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { nodeProcesses } from '../system/node-processes.ts';
import { nodeRandom } from '../system/node-random.ts';
import { askReady } from './ask-ready.ts';
import { PLATFORM } from './native-postgres.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface LocalOrder {
  readonly dataDir: string;
  readonly env: Env;
  readonly logger: Logger;
  readonly tell: (text: string) => void;
}

/** Node, its options and the file of this program, as this process was started. */
export function thisProgram(): [string, ...string[]] {
  return [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
}

export function localControl({ env, logger, tell }: LocalOrder): ControlDeps {
  const uid = process.getuid?.() ?? -1;
  const embedded = {
    clock: nodeClock,
    fileSystem: nodeFileSystem,
    processes: nodeProcesses,
    logger,
    platform: PLATFORM,
    nativeDirectory: null,
    uid,
    userName: null,
  };
  return {
    embedded,
    random: nodeRandom,
    pid: process.pid,
    uid,
    whyNotReady: askReady,
    tell,
    async spawnSupervisor(dataDir) {
      const { logFile } = placeOf(dataDir);
      const argv: [string, ...string[]] = [...thisProgram(), 'service', 'run', 'orchestrator', '--data-dir', dataDir];
      const options = { env: withoutStella(env), logFile, cwd: dataDir };
      const { pid } = await nodeProcesses.startDetached([...argv, '--log-file', logFile], options);
      return { pid, startedAt: (await nodeProcesses.inspect(pid))?.startedAt ?? null };
    },
  };
}

/** Whether the orchestrator of a data directory is, or would be, managed by systemd. */
export async function chooseManager(
  { embedded, uid }: ControlDeps,
  dataDir: string,
  wanted: 'supervisor' | 'systemd' | null,
): Promise<{ readonly manager: 'supervisor' | 'systemd'; readonly isInstalled: boolean }> {
  const installation = await readInstallation(embedded.fileSystem, placeOf(dataDir));
  const known = wanted ?? installation?.manager;
  const deps = { fileSystem: embedded.fileSystem, processes: embedded.processes, uid };
  const manager = known ?? ((await isSystemdHere(deps)) ? 'systemd' : 'supervisor');
  return { manager, isInstalled: installation?.manager === manager };
}

export function installLocally(
  deps: ControlDeps,
  order: Omit<InstallOrder, 'cwd' | 'home' | 'program'>,
): Promise<Installed> {
  const home = order.env['HOME'] ?? homedir();
  return installService(deps, { ...order, home, cwd: process.cwd(), program: thisProgram() });
}

/** Names of variables that are set here and that the installed service does not get, or gets otherwise. */
export async function unusedVariables(deps: ControlDeps, dataDir: string, env: Env): Promise<readonly string[]> {
  const installation = await readInstallation(deps.embedded.fileSystem, placeOf(dataDir));
  const here = serverVariables(env);
  return differences(here, installation?.variables ?? {}).filter((name) => name in here);
}

/** Runs the server in this process's care; its variables are what was installed, and over them what is set here. */
export function superviseHere(deps: ControlDeps, { dataDir, env, logFile }: SuperviseOrder): Promise<Supervisor> {
  return startSupervisor(deps, {
    dataDir,
    logFile,
    async command() {
      const installation = await readInstallation(deps.embedded.fileSystem, placeOf(dataDir));
      return {
        argv: [...thisProgram(), 'orch', 'serve', '--data-dir', dataDir],
        env: {
          ...withoutStella(env),
          ...installation?.secrets,
          ...installation?.variables,
          ...secretVariables(env),
          ...serverVariables(env),
          STELLA_SERVICE_MANAGER: 'supervisor',
        },
      };
    },
  });
}

export interface SuperviseOrder {
  readonly dataDir: string;
  readonly env: Env;
  /** Null: to the error output of this process. */
  readonly logFile: string | null;
}

function withoutStella(env: Env): Record<string, string> {
  const entries = Object.entries(env).flatMap(([name, value]): [string, string][] =>
    value === undefined || name.startsWith('STELLA_') ? [] : [[name, value]],
  );
  return Object.fromEntries(entries);
}
