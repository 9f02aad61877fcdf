/**
 * Promotions of all shapes that are well: each is diagnosed again and again while it goes on. What it names may be a wait
 * that is none of anybody's fault, and never a fault.
 */
import { join } from 'node:path';
import { CAUSES } from '@stella/domain';
import { waitFor, writeOciLayout } from '@stella/testkit';
import type { Machine } from './machine.ts';

const PER_SHAPE = 10;
const PROMOTION_TIMEOUT_MS = 120_000;

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
}

interface Shape {
  readonly name: string;
  /** Members of the definition; gates named `sign` are approved by bo. */
  readonly keys: (services: Services) => object;
  /** Components of its releases; each has a target. */
  readonly components?: readonly string[];
  /** What somebody does with each of them, besides approving. */
  readonly act?: (machine: Machine, promotion: string, environment: string) => Promise<unknown>;
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

const http = (url: string, keys: object = {}): object => ({ name: 'tests', kind: 'http', url, ...keys });
const SIGN = { name: 'sign', kind: 'approval' };
const HEALTH = { timeout: '5s', interval: '50ms', threshold: 2, deadline: '30s' };

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
  await Promise.all(SHAPES.map((shape) => playShape(machine, shape, tally)));
  return tally;
}

async function prepare({ admin, place }: Machine, services: Services): Promise<void> {
  const froms = SHAPES.flatMap(({ from }) => (from === undefined ? [] : [{ name: from, keys: () => ({}) }]));
  const places: readonly Shape[] = [...SHAPES, ...froms];
  const documents = places.map(({ name, keys, components = ['web'] }) => {
    const { health, ...rest } = keys(services) as { readonly health?: string };
    const targets = components.map((component) => ({
      name: component,
      kind: 'files',
      component,
      directory: join(place.targets, `${name}-${component}`),
      ...(health === undefined ? {} : { health: { url: health, ...HEALTH, expectStatus: 200 } }),
    }));
    return { file: `${name}.yaml`, text: JSON.stringify({ kind: 'Environment', name, targets, ...rest }) };
  });
  await admin.call('applyDefinitions', { body: { documents } });
  const tags = Array.from({ length: PER_SHAPE }, (_, index) => `${index + 1}`);
  await writeOciLayout(
    place.layouts,
    tags.flatMap((tag) => ['web', 'api'].map((one) => ({ tag: `${one}-${tag}`, files: { page: `${one} ${tag}` } }))),
  );
  for (const tag of tags) {
    for (const [kind, names] of [
      ['one', ['web']],
      ['two', ['web', 'api']],
    ] as const) {
      const components = names.map((name) => ({ name, artifact: `oci-layout:${place.layouts}:${name}-${tag}` }));
      await admin.call('createRelease', { body: { name: `${kind}-${tag}`, components } });
    }
  }
}

async function playShape(machine: Machine, shape: Shape, tally: Tally): Promise<void> {
  const playing: Promise<void>[] = [];
  for (let number = 1; number <= PER_SHAPE; number += 1) {
    const release = `${shape.components ? 'two' : 'one'}-${number}`;
    if (shape.from !== undefined) {
      await machine.admin.call('createPromotion', { body: { release, environment: shape.from } });
      await untilRunning(machine, shape.from, release);
    }
    if (shape.before !== undefined) await untilRunning(machine, shape.before, release);
    const one = playOne(machine, shape, release, tally);
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

async function playOne(machine: Machine, shape: Shape, release: string, tally: Tally): Promise<void> {
  const { admin } = machine;
  const environment = shape.name;
  const parameters = { environment };
  if (shape.isFrozen) await admin.call('freezeEnvironment', { parameters, body: { reason: 'show', for: '1h' } });
  const body = { release, environment, priority: shape.priority ?? ('normal' as const) };
  const { id } = await admin.call('createPromotion', { body });
  tally.promotionCount += 1;
  let isActed = false;
  await until(async () => {
    const promotion = await look(machine, shape, id, tally);
    if (promotion.endedAt !== null) return true;
    const asks = promotion.gates.some(
      (gate) => gate.state === 'waiting' && (gate.gate === 'sign' || gate.gate === 'freeze'),
    );
    if (asks && !isActed) {
      isActed = true;
      if (shape.isFrozen) await admin.call('unfreezeEnvironment', { parameters, body: {} });
      else if (shape.act) await shape.act(machine, id, environment);
      else await machine.bo.call('approvePromotion', { parameters: { promotion: id }, body: { gate: 'sign' } });
    }
    return false;
  }, `${id} ends in ${environment}`);
  const { status } = await look(machine, shape, id, tally);
  tally.endings[status] = (tally.endings[status] ?? 0) + 1;
}

/** One diagnosis, judged. */
async function look({ admin }: Machine, { name }: Shape, promotion: string, tally: Tally) {
  const parameters = { promotion };
  const diagnosis = await admin.call('diagnosePromotion', { parameters });
  tally.lookCount += 1;
  for (const { code } of diagnosis.causes) {
    if (CAUSES[code].nature === 'fault') tally.falsePositives.push(`${name} ${promotion}: ${code}`);
    else tally.waits.add(code);
  }
  if (diagnosis.verdict === 'stalled') tally.falsePositives.push(`${name} ${promotion}: ${diagnosis.summary}`);
  return admin.call('getPromotion', { parameters });
}

function until(isThere: () => Promise<boolean>, why: string): Promise<void> {
  return waitFor(isThere, { timeoutMs: PROMOTION_TIMEOUT_MS, why });
}
