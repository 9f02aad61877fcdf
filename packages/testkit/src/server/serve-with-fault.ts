/**
 * A real server in its own process, which dies by SIGKILL at the nth hit of a fault point. Its only argument is a JSON
 * object: `{"dataDir":"/tmp/x","fault":{"point":"engine.after_tick","hit":2}}`; all else comes from the environment.
 */
import { makePinoLogger, readServerConfig, startServer } from '@stella/server';
import type { ServeOrder } from './server-process.ts';

// Written by `startServerProcess`, which has the same type.
const { dataDir, role, fault } = JSON.parse(process.argv[2] ?? '{}') as ServeOrder;
let hitCount = 0;

const config = readServerConfig(
  { dataDir, role, listen: '127.0.0.1:0' },
  { env: process.env, uid: process.getuid?.() ?? -1, home: dataDir, cwd: dataDir },
);
const server = await startServer({
  config,
  logger: makePinoLogger(config.logLevel),
  version: '0.1.0-test',
  faults: {
    hit: (point) => {
      if (point !== fault?.point) return;
      hitCount += 1;
      if (hitCount === fault.hit) process.kill(process.pid, 'SIGKILL');
    },
  },
});
process.stdout.write('ready\n');
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
