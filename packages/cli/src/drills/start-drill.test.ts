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

it('says what it waited for', async () => {
  await waitFor(async () => true, 'nothing', 0);
  const late = waitFor(async () => false, 'what never comes', 0);
  await expect(late).rejects.toMatchObject({ code: 'drill.unexpected' });
});
