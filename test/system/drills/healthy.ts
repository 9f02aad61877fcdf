/**
 * Promotions of all shapes that are well: each is diagnosed again and again while it goes on. What it names may be a wait
 * that is none of anybody's fault, and never a fault.
 */
import { join } from 'node:path';
import type { Answer } from '@stella/contract/client';
import { type CauseCode, CAUSES } from '@stella/domain';
import { waitFor, writeOciLayout } from '@stella/testkit';
import type { Machine } from './machine.ts';

const PROMOTION_COUNT = 200;
/** From here on locks are taken only when preflight has succeeded. */
const OPTIMISTIC_FROM = 100;
const PROMOTION_TIMEOUT_MS = 300_000;

/** Where the services of the gates are. */
export interface Services {
  /** Answers at once, yes. */
  readonly quick: string;
  /** Yes, after a second. */
  readonly late: string;
  /** Needs time at first (202), then says yes. */
  readonly polled: string;
  /** Fails once for each promotion, then says yes. */
  readonly slipping: string;
  /** Says no. */
  readonly refusing: string;
  /** Takes the question (202), and calls back with a signed yes a moment later. */
  readonly calling: string;
  /** The key that signs both, as a definition names it. */
  readonly secret: string;
  /** A program that says yes after a moment. */
  readonly program: string;
}

interface Shape {
  readonly name: string;
  /** Members of the definition; gates named `sign` are approved by bo. */
  readonly keys: (services: Services) => object;
  /** Components of its releases; each has a target. */
  readonly components?: readonly string[];
  /** What somebody does with each of them, once, instead of approving. */
  readonly act?: (machine: Machine, promotion: string, environment: string) => Promise<unknown>;
  /** When: else as soon as a gate waits for a person. `number` counts the promotions of the shape from 1. */
  readonly when?: (seen: Seen, number: number) => boolean;
  /** Which release the promotion of that number brings; else the one of that number with all of its components. */
  readonly releaseOf?: (number: number) => string;
  /** Made at the same time instead of one after the other. */
  readonly isAtOnce?: boolean;
  readonly priority?: 'low' | 'high';
  /** The environment of another shape, into which each release goes first. */
  readonly before?: string;
  /** An environment of its own, into which it brings each release first. */
  readonly from?: string;
  /** Frozen as long as its promotion has just begun. */
  readonly isFrozen?: boolean;
}

/** One look at a promotion. */
interface Seen {
  readonly promotion: Promotion;
  readonly codes: readonly CauseCode[];
}

type Promotion = Answer<'getPromotion'>;

const http = (url: string, keys: object = {}): object => ({ name: 'tests', kind: 'http', url, ...keys });
const SIGN = { name: 'sign', kind: 'approval' };
const HEALTH = { timeout: '5s', interval: '50ms', threshold: 2, deadline: '30s' };

/** Long enough to be cancelled while it is verified, on a busy machine too. */
const LONG_HEALTH = { timeout: '5s', interval: '200ms', threshold: 15, deadline: '30s' };
/** Two components that share nothing: promotions of one do not wait for those of the other. */
const APART = {
  components: ['web', 'api'],
  releaseOf: (number: number) => `${number % 2 === 0 ? 'one' : 'api'}-${number}`,
  isAtOnce: true,
} as const;

const SHAPES: readonly Shape[] = [
  { name: 'plain', keys: () => ({}) },
  { name: 'asked', keys: ({ quick }) => ({ gates: [http(quick)] }) },
  { name: 'patient', keys: ({ late }) => ({ gates: [http(late)] }) },
  { name: 'polled', keys: ({ polled }) => ({ gates: [http(polled, { mode: 'poll', interval: '200ms' })] }) },
  { name: 'slipping', keys: ({ slipping }) => ({ gates: [http(slipping, { retries: 2, backoff: '300ms' })] }) },
  { name: 'refused', keys: ({ refusing }) => ({ gates: [http(refusing)] }) },
  { name: 'signed', keys: () => ({ gates: [SIGN] }) },
  { name: 'both', keys: ({ late }) => ({ gates: [SIGN, http(late)] }) },
  {
    name: 'soaking',
    // Nobody else's, because a newer release there would begin the soak anew.
    from: 'tub',
    keys: () => ({ promotesFrom: ['tub'], gates: [{ name: 'soak', kind: 'soak', duration: '3s' }] }),
  },
  { name: 'open', keys: () => ({ gates: [{ name: 'hours', kind: 'window' }] }) },
  { name: 'frozen', keys: () => ({}), isFrozen: true },
  {
    name: 'depending',
    before: 'asked',
    keys: () => ({ gates: [{ name: 'first', kind: 'dependency', requires: [{ environment: 'asked' }] }] }),
  },
  { name: 'queued', keys: ({ late }) => ({ gates: [http(late)] }), isAtOnce: true },
  { name: 'latest', keys: ({ late }) => ({ queue: 'latest', gates: [http(late)] }), isAtOnce: true },
  { name: 'urgent', keys: ({ quick }) => ({ gates: [http(quick)] }), isAtOnce: true, priority: 'high' },
  {
    name: 'split',
    keys: ({ quick }) => ({ concurrency: 'per_component', gates: [http(quick)] }),
    components: ['web', 'api'],
  },
  { name: 'double', keys: () => ({}), components: ['web', 'api'] },
  { name: 'checked', keys: ({ quick }) => ({ health: quick, onFailure: 'hold' }) },
  {
    name: 'called',
    keys: ({ calling, secret }) => ({ gates: [http(calling, { mode: 'callback', secret })] }),
  },
  {
    name: 'programmed',
    keys: ({ program }) => ({ gates: [{ name: 'tests', kind: 'command', program }] }),
  },
  { name: 'rationed', keys: () => ({ concurrency: 'per_component', quotas: { inProgress: 1 } }), ...APART },
  {
    name: 'counted',
    keys: () => ({ quotas: { perDay: 3 } }),
    when: ({ codes }) => codes.includes('quota.exhausted'),
    act: ({ admin }, _, environment) =>
      admin.call('changeQuotas', { parameters: { environment }, body: { limits: { perDay: 100 }, reason: 'show' } }),
  },
  { name: 'apart', keys: ({ late }) => ({ concurrency: 'per_component', gates: [http(late)] }), ...APART },
  {
    name: 'returning',
    keys: ({ quick }) => ({ health: quick, healthTiming: LONG_HEALTH }),
    // The first has nothing to go back to.
    when: ({ promotion }, number) => number > 1 && promotion.step === 'verify',
    act: ({ admin }, promotion) => admin.call('cancelPromotion', { parameters: { promotion }, body: {} }),
  },
  {
    name: 'cancelled',
    keys: () => ({ gates: [SIGN] }),
    act: ({ admin }, promotion) => admin.call('cancelPromotion', { parameters: { promotion }, body: {} }),
  },
  {
    name: 'rejected',
    keys: () => ({ gates: [SIGN] }),
    act: ({ bo }, promotion) => bo.call('rejectPromotion', { parameters: { promotion }, body: { gate: 'sign' } }),
  },
];

export interface HealthyResult {
  readonly promotionCount: number;
  readonly lookCount: number;
  /** Waits that were told. */
  readonly waits: ReadonlySet<string>;
  readonly endings: Readonly<Record<string, number>>;
  readonly falsePositives: readonly string[];
}

interface Tally {
  promotionCount: number;
  lookCount: number;
  readonly waits: Set<string>;
  readonly endings: Record<string, number>;
  readonly falsePositives: string[];
}

export async function watchHealthyPromotions(machine: Machine, services: Services): Promise<HealthyResult> {
  await prepare(machine, services);
  const tally: Tally = { promotionCount: 0, lookCount: 0, waits: new Set(), endings: {}, falsePositives: [] };
  await Promise.all(SHAPES.map((shape, index) => playShape(machine, shape, { tally, count: countOf(index) })));
  return tally;
}

async function prepare({ admin, place }: Machine, services: Services): Promise<void> {
  const froms = SHAPES.flatMap(({ from }) => (from === undefined ? [] : [{ name: from, keys: () => ({}) }]));
  const places: readonly Shape[] = [...SHAPES, ...froms];
  const documents = places.map(({ name, keys, components = ['web'] }) => {
    const {
      health,
      healthTiming = HEALTH,
      ...rest
    } = keys(services) as {
      readonly health?: string;
      readonly healthTiming?: object;
    };
    const targets = components.map((component) => ({
      name: component,
      kind: 'files',
      component,
      directory: join(place.targets, `${name}-${component}`),
      ...(health === undefined ? {} : { health: { url: health, ...healthTiming, expectStatus: 200 } }),
    }));
    return { file: `${name}.yaml`, text: JSON.stringify({ kind: 'Environment', name, targets, ...rest }) };
  });
  await admin.call('applyDefinitions', { body: { documents } });
  const tags = Array.from({ length: countOf(0) }, (_, index) => `${index + 1}`);
  await writeOciLayout(
    place.layouts,
    tags.flatMap((tag) => ['web', 'api'].map((one) => ({ tag: `${one}-${tag}`, files: { page: `${one} ${tag}` } }))),
  );
  for (const tag of tags) {
    for (const [kind, names] of [
      ['one', ['web']],
      ['api', ['api']],
      ['two', ['web', 'api']],
    ] as const) {
      const components = names.map((name) => ({ name, artifact: `oci-layout:${place.layouts}:${name}-${tag}` }));
      await admin.call('createRelease', { body: { name: `${kind}-${tag}`, components } });
    }
  }
}

/** Promotions of a shape: as many of each, and one more of the first. */
function countOf(index: number): number {
  const even = Math.floor(PROMOTION_COUNT / SHAPES.length);
  return index < PROMOTION_COUNT % SHAPES.length ? even + 1 : even;
}

interface Playing {
  readonly tally: Tally;
  readonly count: number;
}

async function playShape(machine: Machine, shape: Shape, { tally, count }: Playing): Promise<void> {
  const playing: Promise<void>[] = [];
  for (let number = 1; number <= count; number += 1) {
    const release = shape.releaseOf?.(number) ?? `${shape.components ? 'two' : 'one'}-${number}`;
    if (shape.from !== undefined) {
      await machine.admin.call('createPromotion', { body: { release, environment: shape.from } });
      await untilRunning(machine, shape.from, release);
    }
    if (shape.before !== undefined) await untilRunning(machine, shape.before, release);
    const one = playOne(machine, shape, { release, number, tally });
    playing.push(one);
    if (!shape.isAtOnce) await one;
  }
  await Promise.all(playing);
}

async function untilRunning({ admin }: Machine, environment: string, release: string): Promise<void> {
  await until(async () => {
    const { items } = await admin.call('listPromotions', { query: { environment, release, status: 'completed' } });
    return items.length > 0;
  }, `${release} completes in ${environment}`);
}

interface Played {
  readonly release: string;
  readonly number: number;
  readonly tally: Tally;
}

/** Somebody is asked. */
function asksAPerson({ promotion }: Seen): boolean {
  return promotion.gates.some((gate) => gate.state === 'waiting' && (gate.gate === 'sign' || gate.gate === 'freeze'));
}

async function playOne(machine: Machine, shape: Shape, { release, number, tally }: Played): Promise<void> {
  const { admin } = machine;
  const environment = shape.name;
  const parameters = { environment };
  if (shape.isFrozen) await admin.call('freezeEnvironment', { parameters, body: { reason: 'show', for: '1h' } });
  const body = { release, environment, priority: shape.priority ?? ('normal' as const) };
  const { id } = await admin.call('createPromotion', { body });
  tally.promotionCount += 1;
  if (tally.promotionCount === OPTIMISTIC_FROM) {
    await admin.call('changeSetting', { parameters: { setting: 'locks.mode' }, body: { value: 'optimistic' } });
  }
  const isTime = shape.when ?? asksAPerson;
  let isActed = false;
  await until(async () => {
    const seen = await look(machine, shape, id, tally);
    if (seen.promotion.endedAt !== null) return true;
    if (!isActed && isTime(seen, number)) {
      isActed = true;
      if (shape.isFrozen) await admin.call('unfreezeEnvironment', { parameters, body: {} });
      else if (shape.act) await shape.act(machine, id, environment);
      else await machine.bo.call('approvePromotion', { parameters: { promotion: id }, body: { gate: 'sign' } });
    }
    return false;
  }, `${id} ends in ${environment}`);
  const { status } = (await look(machine, shape, id, tally)).promotion;
  tally.endings[status] = (tally.endings[status] ?? 0) + 1;
}

/** One diagnosis, judged. */
async function look({ admin }: Machine, { name }: Shape, promotion: string, tally: Tally): Promise<Seen> {
  const parameters = { promotion };
  const diagnosis = await admin.call('diagnosePromotion', { parameters });
  tally.lookCount += 1;
  for (const { code } of diagnosis.causes) {
    if (CAUSES[code].nature === 'fault') tally.falsePositives.push(`${name} ${promotion}: ${code}`);
    else tally.waits.add(code);
  }
  if (diagnosis.verdict === 'stalled') tally.falsePositives.push(`${name} ${promotion}: ${diagnosis.summary}`);
  const codes = diagnosis.causes.map(({ code }) => code);
  return { promotion: await admin.call('getPromotion', { parameters }), codes };
}

function until(isThere: () => Promise<boolean>, why: string): Promise<void> {
  return waitFor(isThere, { timeoutMs: PROMOTION_TIMEOUT_MS, why });
}
