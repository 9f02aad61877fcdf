/** A worker that hangs is ended by its own watchdog, and its promotion goes on (safety L5). */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  adminClient,
  makeServerPlace,
  type ServerPlace,
  startServerProcess,
  waitFor,
  writeOciLayout,
} from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startNodeWatchdog } from '../../src/system/node-watchdog.ts';

const LIMIT_MS = 1_500;

describe('the watchdog', () => {
  it('leaves alone who feeds it, and who has stopped it', async () => {
    const watchdog = startNodeWatchdog(300);
    const startMs = performance.now();
    const isPast = (ms: number): boolean => performance.now() - startMs > ms;
    const fedFor = (): boolean => {
      watchdog.feed();
      return isPast(1_000);
    };
    await waitFor(fedFor, { timeoutMs: 5_000, why: 'it was fed for more than its limit' });
    watchdog.stop();
    await waitFor(() => isPast(2_000), { timeoutMs: 5_000, why: 'it was not fed for more than its limit' });
    watchdog.stop();
    // Still here: it would have ended this process.
    expect(isPast(2_000)).toBe(true);
  });
});

describe('a server whose event loop is blocked', () => {
  let place: ServerPlace;
  beforeEach(async () => {
    place = await makeServerPlace();
    await mkdir(join(place.targets, 'web'), { recursive: true });
    await writeOciLayout(place.layouts, [{ tag: '1', files: { 'index.html': 'shop' } }]);
  });
  afterEach(() => place.remove());

  it('ends itself, saying why; the next one completes what it left', async () => {
    const server = await startServerProcess(place, { watchdogLimitMs: LIMIT_MS });
    const client = adminClient(server);
    const text = `
kind: Environment
name: web
targets:
  - { name: web, kind: files, component: web, directory: ${join(place.targets, 'web')} }
`;
    await client.call('applyDefinitions', { body: { documents: [{ file: 'web.yaml', text }] } });
    const components = [{ name: 'web', artifact: `oci-layout:${place.layouts}:1` }];
    await client.call('createRelease', { body: { name: 'shop-1', components } });
    // Longer than the limit without anything to do is progress all the same.
    const startMs = performance.now();
    await waitFor(() => performance.now() - startMs > 2 * LIMIT_MS, { timeoutMs: 10_000, why: 'it idled' });
    await server.arm({ point: 'engine.before_effect', hit: 1, action: 'block' });
    const { id } = await client.call('createPromotion', { body: { release: 'shop-1', environment: 'web' } });
    expect(await server.ended).toBe('SIGKILL');
    expect(server.log()).toMatch(/"code":"worker\.no_progress"/);
    const next = await startServerProcess(place);
    await waitFor(
      async () =>
        (await adminClient(next).call('getPromotion', { parameters: { promotion: id } })).status === 'completed',
      { timeoutMs: 45_000, why: 'the promotion completes' },
    );
    await next.stop();
  });
});
