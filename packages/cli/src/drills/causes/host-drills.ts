/** A host over SSH: it shows another key, or somebody else keeps its lock. */
import { join } from 'node:path';
import type { Drill } from '../drill.ts';
import { isHeld } from '../host/held-lock.ts';
import { writeKnownHosts } from '../host/host-keys.ts';
import type { OwnOrder } from '../own/own-orchestrator.ts';
import { type HostKeyName, readAddress, WELL } from '../place.ts';
import { unexpected } from '../unexpected.ts';
import { waitFor, type World } from '../world.ts';

/** Because a server takes keys from one directory only, which is no matter of a drill. */
const OWN: OwnOrder = {
  shape: 'single',
  // Loaded when it is needed: what makes keys is large.
  prepare: async (place) => (await import('../host/make-host-keys.ts')).makeHostKeys(place),
};

function learnKey({ place, name }: World, key: HostKeyName): void {
  const host = readAddress(place)?.ssh?.host;
  if (host === undefined) throw unexpected(`${name} has no host over SSH`);
  writeKnownHosts(place, host, key);
}

/** A release runs there, so that all is well but what is broken next. */
async function deployThere(world: World, more: object = {}): Promise<void> {
  learnKey(world, 'first');
  await world.apply({ target: { host: world.sshHost() }, more });
  await world.untilCompleted(await world.promote(await world.release('1')));
}

/** A host that was installed anew: it is the same one, and nobody but its people can know that. */
const hostKey: Drill = {
  cause: 'target.host_key',
  fault: 'the host of its target, reached over SSH, shows another key than is known of it',
  needs: ['linux'],
  own: OWN,
  async inject(world) {
    await deployThere(world);
    world.behave({ hostKey: 'second' });
    await waitFor(async () => readAddress(world.place)?.ssh?.shown === 'second', 'the host shows another key');
    return world.promote(await world.release('2'));
  },
  repair: async (world) => learnKey(world, 'second'),
};

/** As somebody does who works there by hand and keeps others out, and forgets it. */
const busy: Drill = {
  cause: 'target.busy',
  fault: 'somebody keeps the lock of its target, on a host over SSH',
  needs: ['linux'],
  own: OWN,
  async inject(world) {
    await deployThere(world, { onFailure: 'hold' });
    const heldLock = join(world.targetDirectory(), '.stella', 'fence', 'apply.lock');
    world.behave({ heldLock });
    await waitFor(async () => isHeld(heldLock), 'the lock of the target is held');
    return world.promote(await world.release('2'));
  },
  repair: async (world) => world.behave(WELL),
};

export const HOST_DRILLS: readonly Drill[] = [hostKey, busy];
