/** Names of archive entries → paths inside a tree, or a refusal. Pure: what the disk holds is not looked at. */
import { AppError } from '@stella/domain';

/** How much one artifact may put on a target's disk. Reasons stand beside the values. */
export interface UnpackLimits {
  readonly layerCountMax: number;
  readonly entryCountMax: number;
  /** Of all unpacked streams together, headers and padding included. */
  readonly totalBytesMax: number;
  readonly pathBytesMax: number;
  readonly segmentBytesMax: number;
  readonly depthMax: number;
}

export const UNPACK_LIMITS: UnpackLimits = {
  // What container engines accept.
  layerCountMax: 127,
  // The index of a tree is one file in memory: about 20 MB for so many entries.
  entryCountMax: 100_000,
  // As one blob of the registry port: static files and programs, not disk images.
  totalBytesMax: 8 * 1_024 ** 3,
  // With the directory of the target before it, well below PATH_MAX (4,096 bytes).
  pathBytesMax: 2_048,
  // NAME_MAX of Linux file systems.
  segmentBytesMax: 255,
  // Deeper trees are made by mistake, or to exhaust whoever walks them.
  depthMax: 100,
};

/** Characters of a name that a message shows. */
const SHOWN_LENGTH_MAX = 200;

/** The error for an entry that must not be unpacked. */
export function refuseEntry(target: string, path: string, message: string): AppError {
  // Names come from outside: control characters must not reach a terminal.
  const shown = path.slice(0, SHOWN_LENGTH_MAX).replace(/[^\x20-\x7e\u00a0-\ufffc]/g, '?');
  return new AppError('target.unpack_refused', { details: { target, path: shown, message } });
}

export type Refuse = (path: string, message: string) => AppError;

/**
 * `./www//index.html` → `['www', 'index.html']`; the root itself → `[]`. Throws what `refuse` makes for an absolute path,
 * for `..`, for bytes that are no UTF-8, for NUL, and beyond the limits.
 */
export function parseEntryPath(name: string, limits: UnpackLimits, refuse: Refuse): readonly string[] {
  if (name.startsWith('/')) throw refuse(name, 'it is absolute');
  if (name.includes('\0')) throw refuse(name, 'it holds a NUL');
  // The decoder puts this where bytes were no UTF-8; two such names could become one.
  if (name.includes('\ufffd')) throw refuse(name, 'its name is not UTF-8');
  if (Buffer.byteLength(name) > limits.pathBytesMax) {
    throw refuse(name, `its path is longer than ${limits.pathBytesMax} bytes`);
  }
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) throw refuse(name, 'it leads out by ".."');
  if (segments.length > limits.depthMax) throw refuse(name, `it is deeper than ${limits.depthMax} directories`);
  const long = segments.find((segment) => Buffer.byteLength(segment) > limits.segmentBytesMax);
  if (long !== undefined) throw refuse(name, `a part of it is longer than ${limits.segmentBytesMax} bytes`);
  return segments;
}

export type Whiteout =
  /** Removes what the layers below have under this path. */
  | { readonly kind: 'remove'; readonly path: readonly string[] }
  /** Removes everything that the layers below have in this directory. */
  | { readonly kind: 'clear'; readonly path: readonly string[] };

/** OCI image-spec, layer.md, "Whiteouts". Null for an ordinary path. */
export function parseWhiteout(path: readonly string[], refuse: Refuse): Whiteout | null {
  const name = path.at(-1) ?? '';
  const parents = path.slice(0, -1);
  const hiding = parents.find((segment) => segment.startsWith(WHITEOUT_PREFIX));
  if (hiding !== undefined) throw refuse(path.join('/'), 'it lies below a whiteout');
  if (!name.startsWith(WHITEOUT_PREFIX)) return null;
  if (name === OPAQUE_WHITEOUT) return { kind: 'clear', path: parents };
  const hidden = name.slice(WHITEOUT_PREFIX.length);
  if (hidden === '' || hidden === '.' || hidden === '..' || hidden.startsWith(WHITEOUT_PREFIX)) {
    throw refuse(path.join('/'), 'it is an unknown kind of whiteout');
  }
  return { kind: 'remove', path: [...parents, hidden] };
}

const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_WHITEOUT = '.wh..wh..opq';
