/**
 * A process that owns a data directory and runs the embedded PostgreSQL in it, as the server does, for tests that kill
 * it or start it as another user. Arguments: the data directory. Prints one line of JSON: a `HolderReport`. Ends in order on
 * SIGTERM.
 */
import { isAppError } from '@stella/domain';
import { ownDataDir } from '../../src/data-dir/data-dir-owner.ts';
import { prepareDataDir } from '../../src/data-dir/prepare-data-dir.ts';
import { nodeFileSystem } from '../../src/system/node-file-system.ts';
import { ownerDeps, startPostgresIn } from './postgres-fixture.ts';

const [dataDir = ''] = process.argv.slice(2);
try {
  await prepareDataDir(nodeFileSystem, dataDir, process.getuid?.() === 0);
  const owner = await ownDataDir(ownerDeps(), dataDir);
  const postgres = await startPostgresIn(dataDir);
  process.once('SIGTERM', () => {
    void postgres.stop().then(() => owner.release());
  });
  print({ ok: true, pid: process.pid, postmasterPid: postgres.pid(), wasAdopted: postgres.wasAdopted });
} catch (error) {
  if (!isAppError(error)) throw error;
  print({ ok: false, code: error.code, message: error.message, hint: error.hint });
  process.exitCode = 1;
}

function print(report: unknown): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
