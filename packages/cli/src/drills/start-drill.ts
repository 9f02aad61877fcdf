/** Sets up the world of a drill, sees to it that the server allows it, and breaks it. */
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import type { Client } from '@stella/contract/client';
import { AppError, isAppError } from '@stella/domain/client';
import { type Drill, drillId } from './drill.ts';
import { socketOf } from './own/database.ts';
import { clientOfOwn, startOwn } from './own/own-orchestrator.ts';
import { type DrillPlace, type DrillState, makePlace, placeOf, readAddress, writeState } from './place.ts';
import { stopDrill } from './stop-drill.ts';
import { openWorld, waitFor, type World } from './world.ts';

const PEER_TIMEOUT_MS = 120_000;
/** Of Linux; where less is allowed, the server of the drill says so. */
const SOCKET_PATH_BYTES_MAX = 107;

export interface DrillDeps {
  readonly client: Client;
  readonly server: string;
  /** Of the second person; null without. */
  readonly colleague: Client | null;
  /** Directory of all drills. */
  readonly drills: string;
  /** Where the peer listens; null: somewhere on this machine. */
  readonly address: string | null;
}

export interface StartedDrill {
  readonly state: DrillState;
  readonly world: World;
  readonly promotionId: string;
}

/** Whatever it has made is taken away again when it fails. Errors: `database.socket_path`, `drill.needs`, `drill.not_allowed`. */
export async function startDrill(deps: DrillDeps, drill: Drill): Promise<StartedDrill> {
  refuseUnmet(drill, deps);
  const name = `drill-${drillId(drill).replaceAll(/[._]/g, '-')}-${randomBytes(2).toString('hex')}`;
  const place = placeOf(deps.drills, name);
  if (drill.own !== undefined) refuseLongName(place);
  const state: DrillState = {
    name,
    cause: drill.cause,
    drill: drillId(drill),
    server: deps.server,
    startedAt: new Date().toISOString(),
    promotionId: null,
    own: null,
  };
  makeDirectories(place, deps.drills);
  // Before anything else: from now on it can be ended by its name.
  writeState(place, state);
  try {
    const address = deps.address ?? someLoopback();
    const own = drill.own === undefined ? null : await startOwn({ place, address, own: drill.own });
    const played = { ...state, own };
    writeState(place, played);
    await startPeer(place, address);
    const world = worldOf(deps, played, place);
    // One of its own allows all that a drill needs.
    if (own === null) await refuseForbidden(world, deps.drills);
    const promotionId = await drill.inject(world);
    writeState(place, { ...played, promotionId });
    return { state: { ...played, promotionId }, world, promotionId };
  } catch (error) {
    await stopDrill(deps, state);
    throw error;
  }
}

/** As it is played: on the orchestrator of its own, where it has one. */
export function worldOf(
  { client, colleague }: Pick<DrillDeps, 'client' | 'colleague'>,
  state: DrillState,
  place: DrillPlace,
): World {
  return openWorld({ state, place, client: state.own === null ? client : clientOfOwn(state.own), colleague });
}

function refuseUnmet({ cause, needs = [] }: Drill, { colleague }: DrillDeps): void {
  const refuse = (what: string): never => {
    throw new AppError('drill.needs', { details: { cause, what } });
  };
  if (needs.includes('second person') && !colleague) {
    refuse('another person with the role approver: --approver-token-file <file>');
  }
  if (needs.includes('linux') && process.platform !== 'linux')
    refuse('Linux, because this machine is a host of its target');
  if (needs.includes('root') && process.getuid?.() !== 0) refuse('root, to mount a small disk');
}

/** Said before anything is started: its PostgreSQL would refuse it when all the rest is there. */
function refuseLongName({ own: [first] }: DrillPlace): void {
  const path = socketOf(first);
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_BYTES_MAX) return;
  throw new AppError('database.socket_path', {
    details: { path, bytes, bytesMax: SOCKET_PATH_BYTES_MAX },
    hint: 'name a shorter directory for drills: --directory <directory>',
  });
}

function makeDirectories(place: DrillPlace, drills: string): void {
  try {
    makePlace(place);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const message = `${drills} cannot be written: ${error.message}`;
    throw new AppError('drill.not_allowed', { details: { message, setting: 'another --directory' }, cause: error });
  }
}

/** Of 127.0.0.0/8, where no other program looks for a free port; only Linux has all of it. */
function someLoopback(): string {
  if (process.platform !== 'linux') return '127.0.0.1';
  return ['127', randomInt(1, 255), randomInt(256), randomInt(1, 255)].join('.');
}

/** In a process of its own, which outlives this one. */
async function startPeer(place: DrillPlace, address: string): Promise<void> {
  const [, program = ''] = process.argv;
  const args = [...process.execArgv, program, 'drill', 'keep', place.directory, '--address', address];
  spawn(process.execPath, args, { detached: true, stdio: 'ignore' }).unref();
  await waitFor(async () => readAddress(place) !== null, 'the peer of the drill listens', PEER_TIMEOUT_MS);
}

/** Tried with an environment and a release that are well: what is refused now is no part of the drill. */
async function refuseForbidden(world: World, drills: string): Promise<void> {
  const refuse = (message: string, setting: string): never => {
    throw new AppError('drill.not_allowed', { details: { message, setting } });
  };
  await world.apply({ suffix: 'check' });
  const environment = `${world.name}-check`;
  const { items } = await world.client.call('probeConnectivity', { body: { environment } });
  const failed = items.flatMap(({ stages }) => stages).find(({ outcome }) => outcome === 'failed');
  if (failed) refuse(failed.detail, `STELLA_TARGET_DIRECTORIES=${drills}`);
  try {
    await world.release('0');
  } catch (error) {
    if (!isAppError(error) || !error.code.startsWith('registry.')) throw error;
    refuse(error.message, `STELLA_OUTGOING_ALLOW=${new URL(world.gateUrl).hostname}/32`);
  }
}
