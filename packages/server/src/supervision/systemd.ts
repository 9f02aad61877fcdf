/** systemd as seen through `systemctl` and `journalctl`: whether it runs this machine, and what it says of our unit. */
import { AppError } from '@stella/domain';
import type { FileSystem } from '../ports/file-system.ts';
import type { Processes, RunResult } from '../ports/processes.ts';
import { UNIT_NAME } from './systemd-unit.ts';

/** Says that systemd is the init of this machine (sd_booted(3)). */
const BOOTED_DIRECTORY = '/run/systemd/system';
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };
const ASK_TIMEOUT_MS = 10_000;
/** A stop takes 30 s until the server is killed, and a little for systemd itself. */
const ACT_TIMEOUT_MS = 60_000;
const OUTPUT_BYTES_MAX = 1_048_576;

export interface SystemdDeps {
  readonly fileSystem: FileSystem;
  readonly processes: Processes;
  /** Of this process; only root may command the system's units. */
  readonly uid: number;
}

export interface UnitFacts {
  /** `active`, `activating`, `deactivating`, `inactive`, `failed` */
  readonly activeState: string;
  readonly subState: string;
  readonly mainPid: number | null;
  readonly sinceMs: number | null;
  readonly restartCount: number;
  readonly exitedAtMs: number | null;
  /** `exited 1`, `killed 9`; null when it never ended. */
  readonly exit: { readonly exitCode: number | null; readonly signal: string | null } | null;
}

export async function isSystemdHere({ fileSystem, processes, uid }: SystemdDeps): Promise<boolean> {
  if (uid !== 0) return false;
  const found = await fileSystem.stat(BOOTED_DIRECTORY).catch(() => null);
  if (found === null) return false;
  const options = { env: ENVIRONMENT, timeoutMs: ASK_TIMEOUT_MS, outputBytesMax: OUTPUT_BYTES_MAX };
  const answer = await processes.run(['systemctl', 'show', '--property=Version'], options).catch(() => null);
  return answer?.exitCode === 0;
}

/** `['restart']` → `systemctl restart stella-orchestrator.service`. Errors: `service.manager`. */
export async function systemctl({ processes }: SystemdDeps, words: readonly string[]): Promise<string> {
  const isForUnit = words[0] !== 'daemon-reload';
  const argv: [string, ...string[]] = ['systemctl', '--no-ask-password', ...words, ...(isForUnit ? [UNIT_NAME] : [])];
  const options = { env: ENVIRONMENT, timeoutMs: ACT_TIMEOUT_MS, outputBytesMax: OUTPUT_BYTES_MAX };
  const result = await processes.run(argv, options).catch((error: unknown) => String(error));
  if (typeof result !== 'string' && result.exitCode === 0) return result.stdout;
  throw new AppError('service.manager', { details: { command: argv.join(' '), message: wordsOf(result) } });
}

function wordsOf(result: RunResult | string): string {
  if (typeof result === 'string') return result;
  if (result.isTimedOut) return `no answer within ${ACT_TIMEOUT_MS / 1_000} s`;
  return result.stderr.trim().split('\n').join(' ') || `exit code ${result.exitCode}`;
}

const PROPERTIES = [
  'ActiveState',
  'SubState',
  'MainPID',
  'NRestarts',
  'ExecMainStartTimestamp',
  'ExecMainExitTimestamp',
  'ExecMainCode',
  'ExecMainStatus',
];

/** Errors: `service.manager`. */
export async function readUnit(deps: SystemdDeps): Promise<UnitFacts> {
  return parseUnit(await systemctl(deps, ['show', '--timestamp=unix', `--property=${PROPERTIES.join(',')}`]));
}

/** Of `siginfo_t`: the process exited by itself (waitid(2)); killed and dumped are signals. */
const CLD_EXITED = 1;

/** `Name=value` lines of systemctl(1). */
export function parseUnit(text: string): UnitFacts {
  const values = new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const at = line.indexOf('=');
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
  const numberOf = (name: string): number => Number(values.get(name)) || 0;
  const momentOf = (name: string): number | null => {
    const match = /^@(\d+)$/.exec(values.get(name) ?? '');
    return match ? Number(match[1]) * 1_000 : null;
  };
  const code = numberOf('ExecMainCode');
  const status = numberOf('ExecMainStatus');
  const exit =
    code === CLD_EXITED ? { exitCode: status, signal: null } : { exitCode: null, signal: `signal ${status}` };
  return {
    activeState: values.get('ActiveState') ?? 'unknown',
    subState: values.get('SubState') ?? 'unknown',
    mainPid: numberOf('MainPID') || null,
    sinceMs: momentOf('ExecMainStartTimestamp'),
    restartCount: numberOf('NRestarts'),
    exitedAtMs: momentOf('ExecMainExitTimestamp'),
    exit: code === 0 ? null : exit,
  };
}
