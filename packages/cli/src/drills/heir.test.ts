import type { Client } from '@stella/contract/client';
import { expect, it } from 'vitest';
import { heirOf } from './heir.ts';

interface Row {
  readonly id: string;
  readonly retryOf: string | null;
  readonly release: { readonly name: string };
}

/** Knows these, the newest first. */
function clientOf(rows: readonly Row[]): Client {
  const call = (operation: string, { parameters }: { parameters?: { promotion: string } }): Promise<unknown> =>
    Promise.resolve(
      operation === 'listPromotions' ? { items: rows } : rows.find(({ id }) => id === parameters?.promotion),
    );
  // As much of it as is asked here.
  return { call } as unknown as Client;
}

const ENDED = { promotion: 'prm_1', environment: 'drill-x', drill: {} };
const row = (id: string, retryOf: string | null, release = 'drill-x-1'): Row => ({
  id,
  retryOf,
  release: { name: release },
});

it('takes no newer promotion that completes there for the one that takes its place', async () => {
  const rows = [row('prm_3', null, 'drill-x-2'), row('prm_1', null)];
  expect(await heirOf(clientOf(rows), ENDED)).toBeNull();
  expect(await heirOf(clientOf([row('prm_2', 'prm_1'), ...rows]), ENDED)).toMatchObject({ id: 'prm_2' });
  const drill = { curedByRelease: '2' };
  expect(await heirOf(clientOf(rows), { ...ENDED, drill })).toMatchObject({ id: 'prm_3' });
});
