/** `stella orch serve`: the server itself; loaded only here. */
import { homedir } from 'node:os';
import type { CommandSpec } from '../../command.ts';
import { isSet, textOption } from '../../input.ts';
import { VERSION } from '../../version.ts';

export const orchServe: CommandSpec = {
  path: ['orch', 'serve'],
  summary: 'Run the orchestrator: API and worker, on its own PostgreSQL or a given one',
  kind: 'local',
  options: [
    { flags: '--role <role>', summary: 'all, api or worker (all)' },
    { flags: '--data-dir <directory>', summary: 'where it keeps its data' },
    { flags: '--listen <address>', summary: 'host:port (127.0.0.1:8484)' },
    { flags: '--tls-cert <file>', summary: 'serve TLS with this certificate and its chain (PEM)' },
    { flags: '--tls-key <file>', summary: 'the key of that certificate (PEM)' },
    { flags: '--url <url>', summary: 'how others reach it: https://stella.example:8484' },
    { flags: '--insecure-listen', summary: 'allow an address that is not loopback, without TLS' },
  ],
  async run({ terminal, env }, { options }) {
    const { makePinoLogger, readServerConfig, startServer } = await import('@stella/server');
    const config = readServerConfig(
      {
        role: textOption(options, 'role'),
        dataDir: textOption(options, 'dataDir'),
        listen: textOption(options, 'listen'),
        tlsCert: textOption(options, 'tlsCert'),
        tlsKey: textOption(options, 'tlsKey'),
        url: textOption(options, 'url'),
        insecureListen: isSet(options, 'insecureListen'),
      },
      { env, uid: process.getuid?.() ?? -1, home: env['HOME'] ?? homedir(), cwd: process.cwd() },
    );
    const stopping = stopSignal();
    const server = await startServer({ config, logger: makePinoLogger(config.logLevel), version: VERSION });
    if (server.url !== null) terminal.err(`stella ${VERSION} listens on ${server.url}, data in ${server.dataDir}\n`);
    if (server.adminTokenFile !== null) terminal.err(`the first admin's token is in ${server.adminTokenFile}\n`);
    await server.stop({ keepsDatabase: (await stopping) === 'SIGUSR2' });
    return undefined;
  },
};

/** SIGUSR2 stops for a restart: the embedded PostgreSQL stays, and the next server adopts it. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGUSR2'] as const;

/** Settles at the first of them; a second one of the same ends the process at once. */
function stopSignal(): Promise<(typeof STOP_SIGNALS)[number]> {
  return new Promise((resolve) => {
    for (const name of STOP_SIGNALS) process.once(name, () => resolve(name));
  });
}
