/** Somebody who keeps a file of a host locked, as people do it by hand: with flock(1), until they are done. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { endGroup } from './end-group.ts';

/** Nobody drills for so long. */
const HELD_S = 7 * 86_400;
const LOOK_TIMEOUT_MS = 10_000;

export interface HeldLock {
  /** Holds this file locked from now on; null: none. */
  follow(path: string | null): void;
}

export function makeHeldLock(): HeldLock {
  let held: string | null = null;
  let holder: ChildProcess | null = null;
  return {
    follow(path) {
      if (path === held) return;
      if (holder) endGroup(holder, 'SIGKILL');
      held = path;
      holder =
        path === null ? null : spawn('flock', [path, 'sleep', String(HELD_S)], { detached: true, stdio: 'ignore' });
      // Where there is no such program nothing is held, and whoever waits for that gives up.
      holder?.on('error', () => undefined);
    },
  };
}

/** Asked as the next one would ask who wants it. */
export function isHeld(path: string): boolean {
  return spawnSync('flock', ['--nonblock', path, 'true'], { timeout: LOOK_TIMEOUT_MS }).status === 1;
}
