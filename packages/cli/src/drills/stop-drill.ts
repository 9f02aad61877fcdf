/** Ends a drill, whatever state it is in: its promotions, settings, environments, mounts, files, and its peer. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Client } from '@stella/contract/client';
import { isAppError } from '@stella/domain/client';
import { stopOwn } from './own/own-orchestrator.ts';
import { type DrillPlace, type DrillState, placeOf, WELL, writeModes } from './place.ts';
import { waitFor } from './world.ts';

const UNMOUNT_TIMEOUT_MS = 10_000;
/** A cancelled deploy is taken back first. */
const END_TIMEOUT_MS = 180_000;
const LIVE = 'queued,scheduled,pending_approval,in_progress';

interface StopDeps {
  readonly client: Client;
  readonly drills: string;
}

export async function stopDrill({ client, drills }: StopDeps, { name, own }: DrillState): Promise<void> {
  const place = placeOf(drills, name);
  // What is under way can only end where its world answers.
  writeModes(place, WELL);
  if (own === null) {
    mendDirectories(place);
    await cleanUp(client, name);
  }
  // Also one that did not come so far as to be written down.
  await stopOwn(place);
  for (const dataDir of place.own) unmount(dataDir);
  // Its peer ends when the directory is gone.
  rmSync(place.directory, { recursive: true, force: true, maxRetries: 5 });
  rmSync(join(dirname(drills), `${name}-outside`), { recursive: true, force: true });
}

/** Of the orchestrator that others use too. */
async function cleanUp(client: Client, name: string): Promise<void> {
  const environments = await environmentsOf(client, name);
  for (const environment of environments) await endPromotions(client, environment);
  await unsetSettings(client, name);
  if (environments.length > 0) {
    await client.call('applyDefinitions', { body: { documents: [], remove: [...environments] } });
  }
}

async function environmentsOf(client: Client, name: string): Promise<readonly string[]> {
  const { items } = await client.call('listEnvironments');
  return items.map((one) => one.name).filter((one) => one === name || one.startsWith(`${name}-`));
}

async function endPromotions(client: Client, environment: string): Promise<void> {
  const live = async (): Promise<readonly string[]> =>
    (await client.call('listPromotions', { query: { environment, status: LIVE } })).items.map(({ id }) => id);
  for (const promotion of await live()) {
    try {
      await client.call('cancelPromotion', { parameters: { promotion }, body: { reason: 'the drill is over' } });
    } catch (error) {
      // It ended meanwhile, or is being cancelled.
      if (!isAppError(error, 'promotion.illegal_transition')) throw error;
    }
  }
  await waitFor(async () => (await live()).length === 0, `the promotions to ${environment} end`, END_TIMEOUT_MS);
}

/** A remedy may have set some, for the gate of the drill. */
async function unsetSettings(client: Client, name: string): Promise<void> {
  const { items } = await client.call('listSettings');
  for (const { key } of items.filter((one) => one.key.includes(`.${name}.`))) {
    await client.call('changeSetting', { parameters: { setting: key }, body: { value: null } });
  }
}

function mendDirectories(place: DrillPlace): void {
  if (!existsSync(place.targets)) return;
  for (const target of readdirSync(place.targets)) {
    const path = join(place.targets, target);
    unmount(path);
    if (lstatSync(path).isDirectory() && isOurs(path)) chmodSync(path, 0o755);
    if (lstatSync(path).isFile()) rmSync(path);
  }
}

function unmount(path: string): void {
  if (!readMounts().includes(path)) return;
  execFileSync('umount', ['-l', path], { timeout: UNMOUNT_TIMEOUT_MS, stdio: 'ignore' });
}

function isOurs(path: string): boolean {
  const uid = process.getuid?.();
  return uid === 0 || lstatSync(path).uid === uid;
}

/** Where something is mounted; elsewhere than on Linux drills mount nothing. */
function readMounts(): readonly string[] {
  if (!existsSync('/proc/self/mounts')) return [];
  const lines = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return lines.map((line) => line.split(' ')[1] ?? '');
}
