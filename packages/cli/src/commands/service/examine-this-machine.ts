/** The part of `stella doctor --offline` that loads the server's own: the doctor of this machine, without an orchestrator. */
import { AppError, parseDuration } from '@stella/domain/client';
import type { examineOffline } from '@stella/server/service';
import type { CommandContext, CommandInput } from '../../command.ts';
import { configuredServer, findLocalServer, localDataDir } from '../../connect/find-server.ts';
import { textOption } from '../../input.ts';
import { VERSION } from '../../version.ts';
import { refuseOtherHost } from './this-machine.ts';

const CHECK_TIMEOUT_STANDARD = '30s';

/** Errors: `service.other_host` when another machine's server is configured and no database is named, `check.not_found`. */
export async function examineThisMachine(
  { globals, env }: CommandContext,
  options: CommandInput['options'],
): ReturnType<typeof examineOffline> {
  const dataDir = localDataDir(env, textOption(options, 'dataDir'));
  const databaseUrl = textOption(options, 'databaseUrl') ?? null;
  if (databaseUrl === null) refuseOtherHost(configuredServer(globals, env), findLocalServer(env, dataDir)?.url ?? null);
  const server = await import('@stella/server/service');
  const { localControl, makePinoLogger } = server;
  const deps = localControl({ dataDir, env, logger: makePinoLogger('error'), tell: () => undefined });
  return server.examineOffline(deps, {
    dataDir,
    env,
    databaseUrl,
    check: textOption(options, 'check') ?? null,
    category: textOption(options, 'category') ?? null,
    timeoutMs: parseTimeout(textOption(options, 'checkTimeout') ?? CHECK_TIMEOUT_STANDARD),
    version: VERSION,
  });
}

function parseTimeout(text: string): number {
  if (/^\d{1,4}(ms|s|m)$/.test(text)) return parseDuration(text);
  throw new AppError('cli.usage', { details: { message: `--check-timeout ${text} is no duration such as 30s` } });
}
