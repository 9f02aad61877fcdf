import type { Client } from '@stella/contract/client';
import { expect, it } from 'vitest';
import { drillOf } from './drills.ts';
import { type DrillDeps, startDrill } from './start-drill.ts';
import { waitFor } from './world.ts';

const NOBODY: Client = {
  call: () => Promise.reject(new Error('nothing is asked before it is known that the drill can be played')),
  stream: () => {
    throw new Error('likewise');
  },
};
/** Nobody can make a directory below a device. */
const DEPS: DrillDeps = {
  client: NOBODY,
  server: 'http://127.0.0.1:1',
  colleague: null,
  drills: '/dev/null/drills',
  address: null,
};

it('makes nothing when it needs what is not there', async () => {
  await expect(startDrill(DEPS, drillOf('approval.pending'))).rejects.toMatchObject({ code: 'drill.needs' });
  await expect(startDrill(DEPS, drillOf('gate.slow'))).rejects.toMatchObject({ code: 'drill.not_allowed' });
});

it('refuses a directory in which the socket of its own PostgreSQL would have too long a name', async () => {
  const long = { ...DEPS, drills: `/dev/null/${'d'.repeat(80)}` };
  const hint = 'name a shorter directory for drills: --directory <directory>';
  await expect(startDrill(long, drillOf('worker.dead'))).rejects.toMatchObject({ code: 'database.socket_path', hint });
  // It comes to the next obstacle: without a PostgreSQL of its own it minds no long name, and a short one does.
  await expect(startDrill(long, drillOf('gate.slow'))).rejects.toMatchObject({ code: 'drill.not_allowed' });
  await expect(startDrill(DEPS, drillOf('worker.dead'))).rejects.toMatchObject({ code: 'drill.not_allowed' });
});

it('says what it waited for', async () => {
  await waitFor(async () => true, 'nothing', 0);
  const late = waitFor(async () => false, 'what never comes', 0);
  await expect(late).rejects.toMatchObject({ code: 'drill.unexpected' });
});
