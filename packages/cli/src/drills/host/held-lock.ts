/** Somebody who keeps a file of a host locked, as people do it by hand: with flock(1), until they are done. */
import { type ChildProcess, spawn, spawnSync, type StdioOptions } from 'node:child_process';
import { endGroup } from './end-group.ts';

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
      // It reads from us, so that it ends with us, however we end.
      const stdio: StdioOptions = ['pipe', 'ignore', 'ignore'];
      holder = path === null ? null : spawn('flock', [path, 'cat'], { detached: true, stdio });
      // Where there is no such program nothing is held, and whoever waits for that gives up.
      holder?.on('error', () => undefined);
      holder?.stdin?.on('error', () => undefined);
    },
  };
}

/** Asked as the next one would ask who wants it. */
export function isHeld(path: string): boolean {
  return spawnSync('flock', ['--nonblock', path, 'true'], { timeout: LOOK_TIMEOUT_MS }).status === 1;
}
