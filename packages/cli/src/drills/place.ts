/**
 * What a drill keeps on disk, in a directory of its own: `<drills>/<name>/`. Whoever has the directory can end the drill,
 * whatever became of the command that began it; without the directory its peer ends by itself.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError, nearestOf } from '@stella/domain/client';

/** How the other side of the drill behaves: its gate, its health check, its judge, its registry, its host. */
export interface PeerModes {
  /** False: its port is closed. */
  readonly isServiceOpen: boolean;
  readonly isRegistryOpen: boolean;
  readonly gate: Reply;
  readonly health: Reply;
  /** Of a canary. */
  readonly judge: Reply;
  /** What a registry answers instead of what it was asked for; null: it has it. */
  readonly registry: 'denied' | 'missing' | 'other_bytes' | null;
  /** The blobs of this component are not sent, until it is null again. */
  readonly heldComponent: string | null;
  /** Of its TLS service, where the drill has certificates. */
  readonly certificate: Certificate;
  /** Of its host over SSH, where the drill has one: which of its keys it shows. */
  readonly hostKey: HostKeyName;
  /** A file of that host which somebody else keeps locked; null: none. */
  readonly heldLock: string | null;
  /** In the database of the drill's own orchestrator. */
  readonly sessions: SessionModes;
}

export type Certificate = 'expired' | 'valid';

export type HostKeyName = 'first' | 'second';

export interface SessionModes {
  /** Whose row a session holds, idle in its transaction; null: none. */
  readonly heldPromotion: string | null;
  /** Sessions take every connection that is free. */
  readonly areAllTaken: boolean;
}

export type Reply =
  | { readonly kind: 'answer'; readonly status: number; readonly text: string; readonly afterMs: number }
  /** Takes the question with status 202; whether it then calls back is what it is like at that moment. */
  | { readonly kind: 'acknowledgement'; readonly isCalledBack: boolean }
  /** Nothing, until it behaves otherwise. */
  | { readonly kind: 'silence' };

const PASSED = { kind: 'answer', status: 200, text: '{"verdict":"passed"}', afterMs: 0 } as const;

export const WELL: PeerModes = {
  isServiceOpen: true,
  isRegistryOpen: true,
  gate: PASSED,
  health: PASSED,
  judge: answerWith(200, '{"errorRate":0}'),
  registry: null,
  heldComponent: null,
  certificate: 'valid',
  hostKey: 'first',
  heldLock: null,
  sessions: { heldPromotion: null, areAllTaken: false },
};

export function answerWith(status: number, text: string): Reply {
  return { kind: 'answer', status, text, afterMs: 0 };
}

export function answerAfter(afterMs: number): Reply {
  return { ...PASSED, afterMs };
}

export function acknowledge(isCalledBack: boolean): Reply {
  return { kind: 'acknowledgement', isCalledBack };
}

export const SILENCE: Reply = { kind: 'silence' };

export interface DrillState {
  /** `drill-gate-slow-4f2a`: its environments, gates and releases begin with it. */
  readonly name: string;
  readonly cause: string;
  /** As `drill list` names it. */
  readonly drill: string;
  readonly server: string;
  readonly startedAt: string;
  /** The promotion that shows the cause; null while it is being set up. */
  readonly promotionId: string | null;
  /** Of a drill that has an orchestrator of its own; null: it plays on the one that others use, or that is not there yet. */
  readonly own: OwnAddress | null;
}

export interface OwnAddress {
  readonly server: string;
  /** Of its admin. */
  readonly tokenFile: string;
  /** What `stella service` commands: of two processes the one that is broken. */
  readonly dataDir: string;
}

export interface PeerAddress {
  readonly pid: number;
  readonly service: string;
  readonly registry: string;
  /** The same service by TLS; null without certificates. */
  readonly secure: string | null;
  /** Its host over SSH, with the key that it shows by now; null without keys. */
  readonly ssh: { readonly host: string; readonly shown: HostKeyName } | null;
}

/** Paths below the directory of one drill. */
export interface DrillPlace {
  readonly directory: string;
  readonly targets: string;
  /** Image layout (image-spec, image-layout.md) whose blobs its registry has. */
  readonly layout: string;
  /** Holds the key that signs questions and verdicts of its gate. */
  readonly secretFile: string;
  readonly certificates: string;
  /** Keys of its host over SSH. */
  readonly hostKeys: string;
  /** Data directories of its own orchestrator: the names of their sockets may not be long. */
  readonly own: readonly [string, string];
}

const DIRECTORY_STANDARD = '/var/tmp/stella-drills';

export function drillsDirectory(given: string | undefined): string {
  return resolve(given ?? DIRECTORY_STANDARD);
}

export function placeOf(drills: string, name: string): DrillPlace {
  const directory = join(drills, name);
  return {
    directory,
    targets: join(directory, 'targets'),
    layout: join(directory, 'layout'),
    secretFile: join(directory, 'secret'),
    certificates: join(directory, 'certificates'),
    hostKeys: join(directory, 'host'),
    own: [join(directory, 'a'), join(directory, 'b')],
  };
}

/** Made so that the user of the server may pass, who may be another one. */
export function makePlace(place: DrillPlace): void {
  for (const path of [place.directory, place.targets]) mkdirSync(path, { recursive: true, mode: 0o755 });
}

export function readState(place: DrillPlace): DrillState | null {
  // Written below, from the same type.
  return readJson(join(place.directory, 'drill.json')) as DrillState | null;
}

export function writeState(place: DrillPlace, state: DrillState): void {
  writeJson(join(place.directory, 'drill.json'), state);
}

export function readModes(place: DrillPlace): PeerModes {
  // Written below, from the same type.
  return (readJson(join(place.directory, 'modes.json')) as PeerModes | null) ?? WELL;
}

export function writeModes(place: DrillPlace, modes: PeerModes): void {
  writeJson(join(place.directory, 'modes.json'), modes);
}

export function readAddress(place: DrillPlace): PeerAddress | null {
  // Written below, from the same type.
  return readJson(join(place.directory, 'peer.json')) as PeerAddress | null;
}

export function writeAddress(place: DrillPlace, address: PeerAddress): void {
  writeJson(join(place.directory, 'peer.json'), address);
}

/** Every drill of the directory, by name. */
export function listDrills(drills: string): readonly DrillState[] {
  if (!existsSync(drills)) return [];
  const names = readdirSync(drills).sort();
  return names.flatMap((name) => readState(placeOf(drills, name)) ?? []);
}

/** One by its name, or by what it drills when there is only one of that; without either the only one. Throws `drill.not_found`. */
export function findDrill(drills: string, wanted: string | undefined): DrillState {
  const all = listDrills(drills);
  const found = all.filter((one) => wanted === undefined || one.name === wanted || one.drill === wanted);
  const [first] = found;
  if (first && found.length === 1) return first;
  const names = all.map((one) => one.name);
  const nearest = wanted === undefined ? null : nearestOf(wanted, names);
  throw new AppError('drill.not_found', {
    details: { name: wanted ?? 'which one', known: names.join(', ') || 'none' },
    ...(nearest === null ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}

/** What `writeJson` has written; null: nothing. */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return null;
    throw error;
  }
}

/** Whole or not at all: another process reads it meanwhile. */
function writeJson(path: string, value: unknown): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(value));
  renameSync(draft, path);
}
