/**
 * `stella service run`: the supervisor itself. SIGHUP restarts the server, SIGTERM and SIGINT stop both; `service start`
 * runs it in the background, a container in the foreground.
 */
import { AppError, isAppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { localDataDir } from '../../connect/find-server.ts';
import { textOption } from '../../input.ts';
import { DATA_DIR_OPTION, SERVICE_POSITIONALS } from './this-machine.ts';

export const serviceRun: CommandSpec = {
  path: ['service', 'run'],
  summary: 'Keep the orchestrator running, in the foreground: for containers',
  kind: 'local',
  positionals: SERVICE_POSITIONALS,
  options: [
    DATA_DIR_OPTION,
    { flags: '--log-file <file>', summary: 'where the server writes, with a bound; without: to stderr' },
  ],
  async run({ terminal, env }, { positionals, options }) {
    if (positionals[0] !== 'orchestrator') {
      throw new AppError('cli.usage', {
        details: { message: `"${positionals[0]}" is no service; known: orchestrator` },
      });
    }
    const signals = collectSignals();
    const { localControl, makePinoLogger, superviseHere } = await import('@stella/server/service');
    const dataDir = localDataDir(env, textOption(options, 'dataDir'));
    const deps = localControl({ dataDir, env, logger: makePinoLogger('info'), tell: terminal.err });
    const logFile = textOption(options, 'logFile') ?? null;
    try {
      const supervisor = await superviseHere(deps, { dataDir, env, logFile });
      signals.deliver((name) => (name === 'SIGHUP' ? supervisor.restart() : supervisor.stop()));
      await supervisor.ended;
    } catch (error) {
      if (!isAppError(error, 'data_dir.owned')) throw error;
      throw new AppError('service.supervised', { details: { directory: dataDir, pid: error.details['pid'] } });
    }
    return undefined;
  },
};

const SIGNALS = ['SIGHUP', 'SIGTERM', 'SIGINT'] as const;
type Name = (typeof SIGNALS)[number];

/** From the first moment on: a signal that comes before the supervisor is there would otherwise end the process. */
function collectSignals(): { deliver(to: (name: Name) => void): void } {
  const early: Name[] = [];
  let receive = (name: Name): void => void early.push(name);
  for (const name of SIGNALS) process.on(name, () => receive(name));
  return {
    deliver(to) {
      receive = to;
      for (const name of early) to(name);
    },
  };
}
