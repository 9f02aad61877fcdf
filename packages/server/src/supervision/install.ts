/** Writes down how the orchestrator of a data directory is started and, with systemd, its unit. Starts nothing. */
import { dirname, join, resolve } from 'node:path';
import { AppError } from '@stella/domain';
import { readServerConfig } from '../config/server-config.ts';
import { prepareDataDir } from '../data-dir/prepare-data-dir.ts';
import { parseUsers } from '../postgres/postgres-user.ts';
import {
  type Installation,
  readInstallation,
  readSecrets,
  secretVariables,
  serverVariables,
  writeInstallation,
} from './installation.ts';
import { makePlace, placeOf } from './service-place.ts';
import { type ReportDeps, systemdDepsOf } from './service-report.ts';
import { isSystemdHere, systemctl } from './systemd.ts';
import { formatUnit, UNIT_DIRECTORY, UNIT_NAME } from './systemd-unit.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface InstallOrder {
  readonly dataDir: string;
  readonly manager: Installation['manager'];
  /** For systemd: who the orchestrator runs as; null is root. */
  readonly user: string | null;
  /** Its `STELLA_*` variables are taken. */
  readonly env: Env;
  readonly cwd: string;
  readonly home: string;
  /** Node, its options and the file of this program. */
  readonly program: readonly [string, ...string[]];
  /** Checks everything and writes nothing. */
  readonly isDryRun: boolean;
}

export interface Installed {
  readonly manager: Installation['manager'];
  readonly environmentFile: string;
  /** Names only: a value may be a secret. */
  readonly variables: readonly string[];
  /** Names of those that the installation before had, and this one has not. */
  readonly droppedVariables: readonly string[];
  /** Names of those that are set here and were not kept: whoever wants them writes them into the file. */
  readonly unkeptSecrets: readonly string[];
  readonly secretsFile: string;
  readonly unitFile: string | null;
  readonly unit: string | null;
}

/** Errors: `config.invalid`, `cli.usage` for an unknown user, `data_dir.unusable`, `service.manager`. */
export async function installService(deps: ReportDeps, order: InstallOrder): Promise<Installed> {
  const { dataDir, manager, isDryRun } = order;
  const { fileSystem } = deps.embedded;
  const place = placeOf(dataDir);
  const variables = absolute(serverVariables(order.env), order.cwd);
  const config = readServerConfig({ dataDir }, { env: variables, uid: deps.uid, home: order.home, cwd: order.cwd });
  if (config.role === 'worker') {
    const message = 'a service has an API that says whether it is ready; take "all", or run a worker with "orch serve"';
    throw new AppError('config.invalid', { details: { name: 'STELLA_ROLE', message } });
  }
  const user = order.user === null ? null : await findUser(deps, order.user);
  const unit =
    manager === 'supervisor'
      ? null
      : formatUnit({
          dataDir,
          program: order.program,
          environmentFile: place.environmentFile,
          secretsFile: place.secretsFile,
          user: order.user,
          writable: config.targetDirectories,
          reads: [
            ...config.layoutDirectories,
            config.secretsDirectory,
            ...(config.tls === null ? [] : [config.tls.certFile, config.tls.keyFile]),
          ],
        });
  const unitFile = unit === null ? null : join(UNIT_DIRECTORY, UNIT_NAME);
  const before = await readInstallation(fileSystem, place);
  if (!isDryRun) {
    if (manager === 'systemd') await refuseWithoutSystemd(deps);
    await prepareDataDir(fileSystem, dataDir, deps.uid === 0);
    await makePlace(fileSystem, place);
    await writeInstallation(fileSystem, place, { manager, variables });
    if (user !== null) await fileSystem.chown(dataDir, user.uid, user.gid);
    if (unitFile !== null && unit !== null) await enableUnit(deps, unitFile, unit);
  }
  const kept = await readSecrets(fileSystem, place);
  return {
    manager,
    environmentFile: place.environmentFile,
    variables: Object.keys(variables),
    droppedVariables: Object.keys(before?.variables ?? {}).filter((name) => !(name in variables)),
    secretsFile: place.secretsFile,
    unkeptSecrets: Object.keys(secretVariables(order.env)).filter((name) => !(name in kept)),
    unitFile,
    unit,
  };
}

/** Before anything is written. */
async function refuseWithoutSystemd(deps: ReportDeps): Promise<void> {
  if (await isSystemdHere(systemdDepsOf(deps))) return;
  const message = 'systemd does not run this machine, or only root may command it';
  throw new AppError('service.manager', {
    details: { command: 'systemctl', message },
    hint: 'take the supervisor: stella service install orchestrator --manager supervisor',
  });
}

async function enableUnit(deps: ReportDeps, unitFile: string, unit: string): Promise<void> {
  const { fileSystem } = deps.embedded;
  await fileSystem.mkdir(dirname(unitFile), { recursive: true });
  await fileSystem.writeFile(`${unitFile}.new`, unit, { mode: 0o644 });
  await fileSystem.rename(`${unitFile}.new`, unitFile);
  await systemctl(systemdDepsOf(deps), ['daemon-reload']);
  await systemctl(systemdDepsOf(deps), ['enable']);
}

const PATHS: ReadonlySet<string> = new Set(['STELLA_TLS_CERT', 'STELLA_TLS_KEY']);

/** A service is started in another directory than the one that the paths were written in. */
function absolute(variables: Readonly<Record<string, string>>, cwd: string): Readonly<Record<string, string>> {
  const entries = Object.entries(variables).map(([name, value]): [string, string] => [
    name,
    PATHS.has(name) ? resolve(cwd, value) : value,
  ]);
  return Object.fromEntries(entries);
}

async function findUser({ embedded }: ReportDeps, name: string): Promise<{ uid: number; gid: number }> {
  const user = parseUsers(await embedded.fileSystem.readFile('/etc/passwd', 'utf8')).find((one) => one.name === name);
  if (user) return user;
  throw new AppError('cli.usage', {
    details: { message: `there is no user "${name}"` },
    hint: `useradd --system --home-dir /var/lib/stella --shell /usr/sbin/nologin ${name}`,
  });
}
