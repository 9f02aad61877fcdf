/**
 * A real server in its own process, which dies by SIGKILL where it is told to. Its only argument is a JSON object,
 * `{"dataDir":"/tmp/x"}`; a line on stdin, `{"point":"engine.after_tick","hit":2}`, says that from now on the second hit
 * of that point ends it, or with `"action":"block"` blocks its event loop. All else comes from the environment.
 */
import { createInterface } from 'node:readline';
import { makePinoLogger, readServerConfig, startServer } from '@stella/server';
import type { Fault, ServeOrder } from './server-process.ts';

// Written by `startServerProcess`, which has the same type.
const {
  dataDir,
  role,
  watchdogLimitMs,
  databasePatienceMs,
  fault: first,
} = JSON.parse(process.argv[2] ?? '{}') as ServeOrder;
let fault: Fault | null = first ?? null;
let hitCount = 0;

createInterface({ input: process.stdin }).on('line', (line) => {
  // Written by `arm`, which has the same type.
  fault = JSON.parse(line) as Fault;
  hitCount = 0;
  process.stdout.write(`armed ${line}\n`);
});
const config = readServerConfig(
  { dataDir, role, listen: '127.0.0.1:0' },
  { env: process.env, uid: process.getuid?.() ?? -1, home: dataDir, cwd: dataDir },
);
const server = await startServer({
  config,
  logger: makePinoLogger(config.logLevel),
  version: '0.1.0-test',
  ...(watchdogLimitMs !== undefined && { watchdogLimitMs }),
  ...(databasePatienceMs !== undefined && { databasePatienceMs }),
  faults: {
    hit: (point) => {
      if (point !== fault?.point) return;
      hitCount += 1;
      if (hitCount !== fault.hit) return;
      if (fault.action === 'block') block();
      else process.kill(process.pid, 'SIGKILL');
    },
  },
});
process.stdout.write('ready\n');
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));

/** Nothing of this process's JavaScript runs any more. */
function block(): never {
  // Until somebody ends the process.
  for (;;) Math.random();
}
