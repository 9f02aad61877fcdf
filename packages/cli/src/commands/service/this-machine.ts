/**
 * What the commands `stella service …` have in common: they act on this machine only. Which data directory they mean is
 * found as `orch serve` finds it; a server that is configured elsewhere is refused by its name (exit code 6).
 */
import { hostname, networkInterfaces } from 'node:os';
import { AppError, parseDuration } from '@stella/domain/client';
import type { ControlDeps } from '@stella/server/service';
import type { CommandContext, CommandInput, OptionSpec, PositionalSpec } from '../../command.ts';
import { configuredServer, findLocalServer, localDataDir } from '../../connect/find-server.ts';
import { textOption } from '../../input.ts';

/** The one service of this program. */
const SERVICE_NAME = 'orchestrator';
const MANAGERS = ['supervisor', 'systemd'] as const;

export const SERVICE_POSITIONALS: readonly PositionalSpec[] = [{ name: 'service', summary: SERVICE_NAME }];
export const DATA_DIR_OPTION: OptionSpec = {
  flags: '--data-dir <directory>',
  summary: 'which orchestrator: where it keeps its data',
};
export const MANAGER_OPTION: OptionSpec = {
  flags: '--manager <manager>',
  summary: 'systemd or supervisor; systemd where it runs this machine',
};
export const WAIT_OPTION: OptionSpec = { flags: '--wait <duration>', summary: 'how long until it must be ready (2m)' };

/** A first start makes the database, and one after a crash of the machine recovers it. */
const READY_STANDARD = '2m';

export interface ThisMachine {
  readonly deps: ControlDeps;
  readonly dataDir: string;
  readonly wantedManager: (typeof MANAGERS)[number] | null;
  readonly readyWithinMs: number;
}

/** Errors: `cli.usage` for another service, `service.other_host`. */
export async function openThisMachine(
  { globals, env, terminal }: CommandContext,
  { positionals, options }: CommandInput,
): Promise<ThisMachine> {
  const [name] = positionals;
  if (name !== SERVICE_NAME) {
    throw new AppError('cli.usage', { details: { message: `"${name}" is no service; known: ${SERVICE_NAME}` } });
  }
  const dataDir = localDataDir(env, textOption(options, 'dataDir'));
  refuseOtherHost(configuredServer(globals, env), findLocalServer(env, dataDir)?.url ?? null);
  const { localControl, makePinoLogger } = await import('@stella/server/service');
  const tell = (text: string): void => {
    if (!globals.isQuiet) terminal.err(`${text}\n`);
  };
  return {
    deps: localControl({ dataDir, env, logger: makePinoLogger('error'), tell }),
    dataDir,
    wantedManager: parseManager(textOption(options, 'manager')),
    readyWithinMs: parseDuration(textOption(options, 'wait') ?? READY_STANDARD),
  };
}

function parseManager(text: string | undefined): ThisMachine['wantedManager'] {
  if (text === undefined) return null;
  const known = MANAGERS.find((one) => one === text);
  if (known) return known;
  throw new AppError('cli.usage', {
    details: { message: `"${text}" manages nothing here; known: ${MANAGERS.join(', ')}` },
  });
}

/** A server that nobody has configured is the one of this machine. */
export function refuseOtherHost(server: string | null, localUrl: string | null): void {
  if (server === null || server === localUrl) return;
  const { hostname: host } = new URL(server);
  if (isThisMachine(host)) return;
  throw new AppError('service.other_host', { details: { server, host } });
}

function isThisMachine(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  if (/^(localhost|127(\.\d+){3}|::1)$/.test(bare) || bare === hostname().toLowerCase()) return true;
  const addresses = Object.values(networkInterfaces()).flatMap((some) => (some ?? []).map(({ address }) => address));
  return addresses.includes(bare);
}
