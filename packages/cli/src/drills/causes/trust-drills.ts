/** What rests on keys and clocks: orchestrators of the drill's own that trust its certificates or its host, and one whose clock is wrong. */
import type { Drill } from '../drill.ts';
import { writeSecret } from '../call-back.ts';
import { trustFileOf } from '../own/certificates.ts';
import { runStella, variablesOfOwn } from '../own/own-orchestrator.ts';
import { makeSkewedClock, setClock, skewedVariables } from '../own/skewed-clock.ts';
import { writeKnownHosts } from '../host/host-keys.ts';
import { acknowledge, type HostKeyName, readAddress, WELL } from '../place.ts';
import { unexpected } from '../unexpected.ts';
import { waitFor, type World } from '../world.ts';

const TIMEOUT = '3s';
/** More than a signature may be away from the server's clock. */
const AHEAD_MS = 10 * 60_000;

const tls: Drill = {
  cause: 'gate.tls',
  fault: 'the certificate of its service ran out yesterday',
  own: {
    shape: 'single',
    // Loaded when it is needed: what makes certificates is large.
    prepare: async (place, address) => (await import('../own/make-certificates.ts')).makeCertificates(place, address),
    variables: (place) => ({ NODE_EXTRA_CA_CERTS: trustFileOf(place) }),
  },
  async inject(world) {
    const gate = { name: world.name, kind: 'http', url: world.secureGateUrl(), timeout: TIMEOUT, retries: 0 };
    await world.apply({ gates: [gate] });
    world.behave({ certificate: 'expired' });
    return world.promoteToGates(await world.release('1'));
  },
  repair: async (world) => world.behave(WELL),
};

const skew: Drill = {
  cause: 'clock.skew',
  fault: `the clock of the orchestrator is ${AHEAD_MS / 60_000} minutes ahead, and it refuses signed callbacks`,
  own: {
    shape: 'single',
    prepare: async (place) => makeSkewedClock(place, AHEAD_MS),
    variables: skewedVariables,
  },
  async inject(world) {
    const secret = writeSecret(world.place);
    const asking = { mode: 'callback', secret, timeout: TIMEOUT, retries: 0, backoff: '0s' };
    await world.apply({ gates: [{ name: world.name, kind: 'http', url: world.gateUrl, ...asking }] });
    world.behave({ gate: acknowledge(true) });
    return world.promoteToGates(await world.release('1'));
  },
  async repair(world) {
    setClock(world.place, 0);
    await runStella(['service', 'restart', 'orchestrator'], variablesOfOwn(world.own()));
  },
};

/** A host that was installed anew: it is the same one, and nobody but its people can know that. */
const hostKey: Drill = {
  cause: 'target.host_key',
  fault: 'the host of its target, reached over SSH, shows another key than is known of it',
  needs: ['linux'],
  own: {
    shape: 'single',
    // Loaded when it is needed: what makes keys is large.
    prepare: async (place) => (await import('../host/make-host-keys.ts')).makeHostKeys(place),
  },
  async inject(world) {
    const { place } = world;
    learnKey(world, 'first');
    await world.apply({ target: { host: world.sshHost() } });
    await world.untilCompleted(await world.promote(await world.release('1')));
    world.behave({ hostKey: 'second' });
    await waitFor(async () => readAddress(place)?.ssh?.shown === 'second', 'the host shows another key');
    return world.promote(await world.release('2'));
  },
  repair: async (world) => learnKey(world, 'second'),
};

function learnKey({ place, name }: World, key: HostKeyName): void {
  const host = readAddress(place)?.ssh?.host;
  if (host === undefined) throw unexpected(`${name} has no host over SSH`);
  writeKnownHosts(place, host, key);
}

export const TRUST_DRILLS: readonly Drill[] = [tls, hostKey, skew];
