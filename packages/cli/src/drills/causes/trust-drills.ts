/** What rests on certificates and clocks: an orchestrator of the drill's own that trusts its certificates, and one whose clock is wrong. */
import type { Drill } from '../drill.ts';
import { writeSecret } from '../call-back.ts';
import { trustFileOf } from '../own/certificates.ts';
import { runStella, variablesOfOwn } from '../own/own-orchestrator.ts';
import { makeSkewedClock, setClock, skewedVariables } from '../own/skewed-clock.ts';
import { acknowledge, WELL } from '../place.ts';

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

export const TRUST_DRILLS: readonly Drill[] = [tls, skew];
