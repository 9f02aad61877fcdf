/** Legitimate waits: nothing is wrong, and the diagnosis says what is waited for, and until when. */
import type { Drill } from '../drill.ts';
import { answerWith, SILENCE, WELL } from '../place.ts';
import type { EnvironmentDraft, World } from '../world.ts';

/** Long enough to be looked at while it runs, on a busy machine. */
const SOAK = '20s';
/** Where the soak itself is not what is looked at. */
const SHORT_SOAK = '1s';
const HOUR = '1h';

function approvalGate(world: World): object {
  return { name: world.name, kind: 'approval', count: 1, deadline: HOUR };
}

async function approve(world: World, body: { readonly gate?: string; readonly skip?: string }): Promise<void> {
  const { items } = await world.client.call('listPromotions', {
    query: { environment: world.name, status: 'pending_approval,in_progress,scheduled,queued' },
  });
  for (const { id } of items) await world.colleague().call('approvePromotion', { parameters: { promotion: id }, body });
}

const approvalPending: Drill = {
  cause: 'approval.pending',
  fault: 'none: a person is asked',
  needs: ['second person'],
  async inject(world) {
    await world.apply({ gates: [approvalGate(world)] });
    return world.promote(await world.release('1'));
  },
  repair: (world) => approve(world, { gate: world.name }),
};

/** The second was approved before the first completed. */
const baseChanged: Drill = {
  cause: 'base.changed',
  fault: 'none: the environment runs another release than when it was approved',
  needs: ['second person'],
  async inject(world) {
    const service = { name: `${world.name}-service`, kind: 'http', url: world.gateUrl, timeout: HOUR };
    await world.apply({ gates: [approvalGate(world), service] });
    const first = await world.promote(await world.release('1'));
    await world.until(
      first,
      ({ gates }) => gates.some((one) => one.gate === service.name && one.verdict === 'passed'),
      'passes at the service',
    );
    world.behave({ gate: SILENCE });
    const second = await world.promote(await world.release('2'));
    const decide = (promotion: string): Promise<unknown> =>
      world.colleague().call('approvePromotion', { parameters: { promotion }, body: { gate: world.name } });
    const isAsked = ({ gates }: Awaited<ReturnType<World['read']>>): boolean =>
      gates.some((one) => one.gate === world.name && one.state === 'waiting');
    await world.until(second, isAsked, 'asks for approval');
    await decide(second);
    await decide(first);
    await world.untilCompleted(first);
    return second;
  },
  async repair(world) {
    await approve(world, { gate: world.name });
    world.behave(WELL);
  },
};

const skipPending: Drill = {
  cause: 'skip.pending',
  fault: 'none: a skip wants a second person',
  needs: ['second person'],
  async inject(world) {
    await world.apply({ suffix: 'before' }, { gates: [neverOpen(world)] });
    const promotion = await world.promote(await world.release('1'));
    await world.until(promotion, ({ gates }) => gates.length > 0, 'comes to its gate');
    const parameters = { promotion, gate: world.name };
    await world.client.call('skipGate', { parameters, body: { reason: 'drill' } });
    return promotion;
  },
  repair: (world) => approve(world, { skip: world.name }),
};

/** A dependency on an environment of the drill that runs nothing yet. */
function neverOpen(world: World): object {
  return { name: world.name, kind: 'dependency', requires: [{ environment: `${world.name}-before` }], deadline: HOUR };
}

const dependencyPending: Drill = {
  cause: 'dependency.pending',
  fault: 'none: another environment has to run the release first',
  async inject(world) {
    await world.apply({ suffix: 'before' }, { gates: [neverOpen(world)] });
    return world.promote(await world.release('1'));
  },
  repair: async (world) => world.untilCompleted(await world.promote(`${world.name}-1`, 'before')),
};

const windowClosed: Drill = {
  cause: 'window.closed',
  fault: 'none: the environment is frozen for an hour',
  async inject(world) {
    await world.apply({});
    const parameters = { environment: world.name };
    await world.client.call('freezeEnvironment', { parameters, body: { reason: 'drill', for: HOUR } });
    return world.promote(await world.release('1'));
  },
  async repair(world) {
    await world.client.call('unfreezeEnvironment', { parameters: { environment: world.name }, body: {} });
  },
};

function soaking(world: World, duration: string): readonly EnvironmentDraft[] {
  const soak = { name: world.name, kind: 'soak', duration, deadline: HOUR };
  return [{ suffix: 'before' }, { promotesFrom: [`${world.name}-before`], gates: [soak] }];
}

const soakRunning: Drill = {
  cause: 'soak.running',
  fault: `none: the release has to run for ${SOAK} elsewhere`,
  async inject(world) {
    await world.apply(...soaking(world, SOAK));
    const release = await world.release('1');
    await world.untilCompleted(await world.promote(release, 'before'));
    return world.promote(release);
  },
};

/** What soaked is not whole any more: a promotion there has failed, and left everything as it was then. */
const soakBroken: Drill = {
  cause: 'soak.broken',
  fault: 'what should soak does not run whole any more',
  async inject(world) {
    const health = { url: world.healthUrl, timeout: '2s', interval: '100ms', threshold: 1, deadline: '2s' };
    const [before, wanted] = soaking(world, SHORT_SOAK);
    await world.apply({ ...before, target: { health }, more: { onFailure: 'hold' } }, { ...wanted });
    const release = await world.release('1');
    await world.untilCompleted(await world.promote(release, 'before'));
    world.behave({ health: answerWith(503, 'starting') });
    const failed = await world.promote(await world.release('2'), 'before');
    await world.until(failed, ({ endedAt }) => endedAt !== null, 'fails');
    world.behave(WELL);
    return world.promote(release);
  },
};

/** Holds the lock of its components for as long as its health check is silent. */
async function holdLock(world: World, components: readonly string[], more: object): Promise<void> {
  const health = { url: world.healthUrl, timeout: '1m', interval: '100ms', threshold: 1, deadline: HOUR };
  await world.apply({ components: more === EXCLUSIVE ? components : ['app', 'other'], target: { health }, more });
  world.behave({ health: SILENCE });
  const holder = await world.promote(await world.release('1', { components }));
  await world.until(holder, ({ step }) => step === 'verify', 'holds the lock');
}

const EXCLUSIVE = {};

const lockHeld: Drill = {
  cause: 'lock.held',
  fault: 'none: another promotion is at work under the lock',
  async inject(world) {
    await holdLock(world, ['app'], EXCLUSIVE);
    return world.promote(await world.release('2'));
  },
  repair: async (world) => world.behave(WELL),
};

/** The one in between waits for a lock of which the last wants nothing. */
const queueBehind: Drill = {
  cause: 'queue.behind',
  fault: 'none: one with an older ticket goes first',
  async inject(world) {
    await holdLock(world, ['app'], { concurrency: 'per_component' });
    const between = await world.promote(await world.release('2', { components: ['app', 'other'] }));
    await world.until(between, ({ step }) => step === 'acquire_locks', 'waits for the lock');
    return world.promote(await world.release('3', { components: ['other'] }));
  },
  repair: async (world) => world.behave(WELL),
};

const quotaExhausted: Drill = {
  cause: 'quota.exhausted',
  fault: 'none: one promotion may start there in a day, and one has',
  async inject(world) {
    await world.apply({ more: { quotas: { perDay: 1 } } });
    await world.untilCompleted(await world.promote(await world.release('1')));
    return world.promote(await world.release('2'));
  },
  repair: (world) => world.apply({}),
};

export const WAIT_DRILLS: readonly Drill[] = [
  quotaExhausted,
  lockHeld,
  queueBehind,
  skipPending,
  baseChanged,
  approvalPending,
  dependencyPending,
  windowClosed,
  soakRunning,
  soakBroken,
];
