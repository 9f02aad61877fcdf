/** Who does what when in a seed: releases are made and promoted, gates are decided on, and somebody interferes. */
import {
  type AnySettingKey,
  type EnvironmentDefinition,
  isTerminal,
  type LockId,
  type PromotionId,
  quotaKey,
  type QuotaName,
  type ReleaseId,
} from '@stella/domain';
import { personIdOf, type WriteRecord } from '@stella/testkit';
import { applyDefinitions } from '../../src/engine/commands/apply-definitions.ts';
import {
  changeQuotaLimits,
  type QuotaLimitOrder,
  requestQuotaIncrease,
} from '../../src/engine/commands/change-quota.ts';
import { changeSetting } from '../../src/engine/commands/change-setting.ts';
import { commandPromotion, type PromotionWord } from '../../src/engine/commands/command-promotion.ts';
import { createPromotion } from '../../src/engine/commands/create-promotion.ts';
import { createRelease, resolveComponents } from '../../src/engine/commands/create-release.ts';
import { changeFreeze } from '../../src/engine/commands/freeze-environment.ts';
import { askTargets, raiseEnvironmentFence } from '../../src/engine/commands/raise-fence.ts';
import { sealTargets, takeLock } from '../../src/engine/commands/release-lock.ts';
import { followOtherWays, type OtherWaysWorld, planOtherWays } from './agenda-of-other-ways.ts';
import { type People, type PeopleWorld, pickPromotion, releaseByNumber, rest } from './people.ts';
import { type CyclePlan, drawGate, PEOPLE, PROMOTION_COUNT, type SeedPlan } from './seed-plan.ts';
import { pushTag, type RegistryWorld } from './simulated-registry.ts';

const INTERFERENCES = [
  ...(['cancel', 'cancel', 'retry', 'reject'] as const),
  ...(['locks', 'force', 'rights', 'setting', 'apply'] as const),
];
/** In a seed with windows. */
const FREEZES = 6;
/** In a seed with quotas: limits that change, and people who ask for more. */
const QUOTA_ACTS = 8;
/** Until nobody waits for an hour or a day any more; more than the last faults last. */
const QUOTA_LIFTS_MAX = 60;
/** More than there are promotions. */
const QUOTA_LIFTED = 100;
/** Of a hundred gates that open, somebody asks to skip so many. */
const SKIP_PERCENT = 20;
/** To resolve all artifacts of a release, as the route allows. */
const RESOLVE_TIMEOUT_MS = 25_000;
const SOURCES = {
  api: { kind: 'registry', registry: 'registry.example:5000', repository: 'shop/api' },
  web: { kind: 'registry', registry: 'registry.example:5000', repository: 'shop/web' },
} as const;
/** What a release carries, where components go each their own way. */
const CARRIED = [['api', 'web'], ['web'], ['api']] as const satisfies readonly (readonly string[])[];
/** More than until the last fault ends, so that every stop is cured. */
const CURES_MAX = 200;
/** A little more than a server waits for its targets. */
const ASK_PATIENCE_MS = 12_000;
/** Requests that may be made, refused ones included, until nobody asks any more. */
const REQUESTS_MAX = 60;

export interface AgendaWorld extends PeopleWorld {
  readonly plan: SeedPlan;
  readonly people: People;
  readonly registry: RegistryWorld;
}

export interface AgendaOfPeople {
  start(): void;
  /** Reacts to what was written: gates are decided on, completed releases go on. */
  onWrite(record: WriteRecord): void;
  /** Nothing is under way: whatever is left to be asked for is asked for now. False: nothing is left. */
  askForMore(): boolean;
  /** Acts that are under way or planned. */
  pendingCount(): number;
}

export function makeAgendaOfPeople(world: AgendaWorld): AgendaOfPeople {
  return new Agenda(world);
}

class Agenda implements AgendaOfPeople {
  private readonly world: AgendaWorld;
  private requestCount = 0;
  private pushCount = 0;
  private pending = 0;
  private readonly otherWays: OtherWaysWorld;

  constructor(world: AgendaWorld) {
    this.world = world;
    this.otherWays = { ...world, later: (delayMs, run) => this.later(delayMs, run) };
  }

  start(): void {
    const { plan, scheduler } = this.world;
    for (const cycle of plan.cycles) this.later(cycle.atMs, () => this.runCycle(cycle));
    for (let n = 0; n < plan.mix.interferences; n += 1) {
      const atMs = scheduler.random.between(0, plan.faultsEndAfterMs);
      this.later(atMs, () => this.interfere());
    }
    if (plan.hasWindows) this.planFreezes();
    if (plan.hasQuotas) this.planQuotas();
    if (plan.hasOtherWays) planOtherWays(this.otherWays);
  }

  /** Tried while faults happen, and lifted when they have ended: days are long. */
  private planQuotas(): void {
    const { plan, scheduler } = this.world;
    const { random } = scheduler;
    const places = plan.environments.flatMap(({ definition }) => (definition.quotas ? [definition.name] : []));
    for (let n = 0; n < QUOTA_ACTS && places.length > 0; n += 1) {
      const environment = random.pick(places);
      const name = random.pick(['perHour', 'perHour', 'perDay', 'inProgress'] as const);
      const limit = random.pick([1, 2, 4, null]);
      const asks = random.chance(30);
      this.later(random.between(0, plan.faultsEndAfterMs), () =>
        asks ? this.askForQuota(environment, name) : this.limitQuota(environment, [{ name, limit }]),
      );
    }
    for (const environment of places) this.later(plan.faultsEndAfterMs, () => this.liftQuota(environment));
  }

  private async liftQuota(environment: string): Promise<void> {
    const { scheduler, state } = this.world;
    const limits = (['perHour', 'perDay'] as const).map((name) => ({ name, limit: QUOTA_LIFTED }));
    const isLifted = (): boolean =>
      limits.every(({ name }) => state.settingRows.get(quotaKey(environment, name))?.value === QUOTA_LIFTED);
    for (let count = 0; count < QUOTA_LIFTS_MAX && !isLifted(); count += 1) {
      await this.limitQuota(environment, limits);
      await rest(scheduler, scheduler.random.between(500, 3_000));
    }
  }

  private limitQuota(environment: string, limits: QuotaLimitOrder['limits']): Promise<unknown> {
    return this.world.people.act({
      word: 'quota.limit',
      by: 'olga',
      work: async (tx, principal) => {
        await changeQuotaLimits(tx, principal, { environment, limits, reason: 'a full day' });
        return {};
      },
    });
  }

  private askForQuota(environment: string, name: QuotaName): Promise<unknown> {
    const { people, scheduler } = this.world;
    const wanted = scheduler.random.between(1, 9);
    return people.act({
      word: 'quota.request',
      by: 'alice',
      work: async (tx, principal) => {
        const request = await requestQuotaIncrease(tx, principal, { environment, name, wanted, reason: 'many' });
        return { wanted: request.wanted };
      },
    });
  }

  /** Short ones, ended early or by themselves; one may take the place of another. */
  private planFreezes(): void {
    const { plan, scheduler } = this.world;
    const { random } = scheduler;
    for (let n = 0; n < FREEZES; n += 1) {
      const atMs = random.between(0, plan.faultsEndAfterMs);
      const { name: environment } = random.pick(plan.environments).definition;
      this.later(atMs, () => this.changeFreeze(environment, random.between(5_000, 90_000)));
      if (random.chance(60))
        this.later(atMs + random.between(1_000, 60_000), () => this.changeFreeze(environment, null));
    }
  }

  private async changeFreeze(environment: string, lengthMs: number | null): Promise<void> {
    await this.world.people.act({
      word: lengthMs === null ? 'environment.unfreeze' : 'environment.freeze',
      by: this.world.scheduler.random.pick(['olga', 'olga', 'bob']),
      work: async (tx, principal) => {
        const wish =
          lengthMs === null
            ? ({ kind: 'unfreeze' } as const)
            : { kind: 'freeze' as const, untilMs: tx.nowMs + lengthMs };
        const { freeze } = await changeFreeze(tx, principal, {
          environment,
          wish,
          reason: 'on air',
          seenVersion: null,
        });
        return { version: freeze.version };
      },
    });
  }

  pendingCount(): number {
    return this.pending;
  }

  askForMore(): boolean {
    const { state } = this.world;
    if (state.promotions.size >= PROMOTION_COUNT || this.requestCount >= REQUESTS_MAX) return false;
    const { random } = this.world.scheduler;
    const requester = random.pick(['alice', 'bob', 'ci']);
    const cycle = { atMs: 0, requester, olderBy: null, environment: 'dev', goesOn: true };
    this.later(random.between(1, 3_000), () => this.runCycle(cycle));
    return true;
  }

  onWrite({ before, decision }: WriteRecord): void {
    const { random } = this.world.scheduler;
    const { promotion, gateRuns, environment: changed } = decision;
    if (changed?.stop && !before?.environment.stop) {
      this.later(random.between(1_000, 40_000), () => this.cure(changed.name));
    }
    for (const run of gateRuns) {
      const isNew = before?.gateRuns.every((one) => one.id !== run.id) ?? true;
      if (!isNew || run.verdict !== null) continue;
      if (run.kind === 'approval') this.vote(promotion.id, run.gate);
      const { mix } = this.world.plan;
      if (mix.interferences > 0 && random.chance(SKIP_PERCENT)) {
        this.later(random.between(1, 3_000), () => this.skipGate(promotion.id, run.gate));
      }
    }
    if (this.world.plan.hasOtherWays && promotion.endedAtMs !== null) followOtherWays(this.otherWays, promotion);
    if (promotion.status !== 'completed' || !random.chance(85)) return;
    const next = { dev: ['staging', 'edge'], staging: ['prod'] }[promotion.environment] ?? [];
    for (const environment of next) {
      this.later(random.between(1, 8_000), () => this.request(promotion.releaseId, environment, 'alice'));
    }
  }

  /** The act counts as pending from now until it has ended. */
  private later(delayMs: number, run: () => Promise<unknown>): void {
    this.pending += 1;
    this.world.scheduler.after(delayMs, () => {
      run().then(
        () => {
          this.pending -= 1;
        },
        (error: unknown) =>
          this.world.guarded(() => {
            throw error;
          }),
      );
    });
  }

  private async runCycle({ requester, olderBy, environment }: CyclePlan): Promise<void> {
    const { state } = this.world;
    const older = olderBy === null ? null : releaseByNumber(state, state.lastReleaseNumber - olderBy);
    const releaseId = older?.id ?? (await this.makeRelease(requester));
    if (releaseId !== null) await this.request(releaseId, environment, requester);
  }

  /** Somebody pushes to the tag; now and then it moves again while it is being resolved. */
  private async makeRelease(by: string): Promise<ReleaseId | null> {
    const { people, registry, scheduler } = this.world;
    this.pushCount += 1;
    const n = this.pushCount;
    for (const source of Object.values(SOURCES)) pushTag(registry, source, 'latest', n);
    if (scheduler.random.chance(10)) {
      this.pushCount += 1;
      const again = this.pushCount;
      scheduler.after(scheduler.random.between(1, 400), () => void pushTag(registry, SOURCES.web, 'latest', again));
    }
    const names = this.world.plan.isByComponent ? scheduler.random.pick(CARRIED) : null;
    const sources = Object.entries(SOURCES).filter(([name]) => names === null || names.some((one) => one === name));
    const wanted = sources.map(([name, source]) => ({
      name,
      reference: { source, tag: 'latest', digest: null },
    }));
    const answer = await people.act({
      word: 'release.create',
      by,
      work: async (tx, principal, server) => {
        const signal = server.process.clockOn('world').timeoutSignal(RESOLVE_TIMEOUT_MS);
        const components = await resolveComponents(server.registry(), wanted, signal);
        const release = await createRelease(tx, principal, { name: `shop-${n}`, components });
        return { releaseId: release.id };
      },
    });
    return answer.kind === 'done' ? answer.body.releaseId : null;
  }

  private async request(releaseId: ReleaseId, environment: string, by: string): Promise<void> {
    const { people, state, scheduler } = this.world;
    const release = state.releases.get(releaseId);
    if (!release || state.promotions.size >= PROMOTION_COUNT || this.requestCount >= REQUESTS_MAX) return;
    this.requestCount += 1;
    const priority = scheduler.random.chance(15) ? ('low' as const) : ('normal' as const);
    await people.act({
      word: 'promotion.create',
      by,
      work: async (tx, principal, { ids }) => ({
        promotionId: await createPromotion(tx, { ids }, principal, { release, environment, priority, retryOf: null }),
      }),
    });
  }

  /** Somebody decides, sooner or later or never; now and then two at once, one of them against it. */
  private vote(promotionId: PromotionId, gate: string): void {
    const { random } = this.world.scheduler;
    const isRace = random.chance(10);
    const raceMs = random.between(50, 10_000);
    for (const name of ['alice', 'bob', 'carol', 'dave', 'ci']) {
      if (!random.chance(75)) continue;
      const usualMs = random.chance(85) ? random.between(50, 15_000) : random.between(15_000, 120_000);
      const kind = isRace && name === 'carol' ? 'reject' : 'approve';
      const isLost = random.chance(6);
      this.later(isRace ? raceMs : usualMs, async () => {
        await this.command(promotionId, name, { kind, gate, reason: kind === 'reject' ? 'no' : '' });
        if (isLost) this.changeRights(name);
      });
    }
  }

  private command(promotionId: PromotionId, by: string, word: PromotionWord): Promise<unknown> {
    const { people } = this.world;
    return people.act({
      word: `promotion.${word.kind}`,
      by,
      work: async (tx, principal, { ids }) => {
        const id = await commandPromotion(tx, { ids }, principal, { promotionId, version: null, word });
        return { promotionId: id };
      },
    });
  }

  private async interfere(): Promise<void> {
    const { state, scheduler } = this.world;
    const { random } = scheduler;
    const id = pickPromotion(state, random);
    const kind = random.pick(INTERFERENCES);
    if (kind === 'rights') this.changeRights(random.pick(['alice', 'bob', 'carol']));
    else if (kind === 'setting') await this.changeSomeSetting();
    else if (kind === 'apply') await this.applyOne();
    else if (kind === 'locks' || kind === 'force') await this.takeSomeLock(kind === 'force');
    else if (id) await this.interfereWith(id, kind);
  }

  private async interfereWith(id: PromotionId, kind: string): Promise<void> {
    const { random } = this.world.scheduler;
    if (kind === 'cancel') await this.command(id, random.pick(['olga', 'bob']), { kind, reason: 'not now' });
    else if (kind === 'retry') await this.command(id, 'olga', { kind, reason: 'mended' });
    else await this.command(id, 'carol', { kind: 'reject', gate: null, reason: 'no' });
  }

  /** Somebody asks to step around a gate, and somebody else decides about it, or the same person tries to. */
  private async skipGate(id: PromotionId, gate: string): Promise<void> {
    const { random } = this.world.scheduler;
    await this.command(id, random.pick(['olga', 'olga', 'bob']), { kind: 'skip_gate', gate, reason: 'urgent' });
    const kind = random.chance(80) ? ('approve' as const) : ('reject' as const);
    this.later(random.between(10, 10_000), () =>
      this.command(id, random.pick(['alice', 'bob', 'carol', 'olga']), { kind, gate: null, skip: gate, reason: '' }),
    );
  }

  /** An admin looks what the targets hold and raises the fence above it, again and again until it is done. */
  private async cure(environment: string): Promise<void> {
    const { scheduler, state } = this.world;
    for (let count = 0; count < CURES_MAX; count += 1) {
      if (!state.environments.get(environment)?.stop) return;
      await this.raiseFence(environment);
      await rest(scheduler, scheduler.random.between(2_000, 10_000));
    }
  }

  private async raiseFence(environment: string): Promise<void> {
    const { people, scheduler, state } = this.world;
    const server = scheduler.random.pick(this.world.servers());
    const targets = state.definitions.get(environment)?.definition.targets ?? [];
    if (!server.process.isAlive()) return;
    const deps = { openTarget: server.openTarget.bind(server), clock: server.process.clockOn('world') };
    const called = { environment, targets, atOnce: this.targetsAtOnce() };
    const asked = askTargets(deps, called).catch(() => undefined);
    // A server that dies meanwhile never answers.
    const seen = await Promise.race([asked, rest(scheduler, ASK_PATIENCE_MS)]);
    if (!seen) return;
    const answer = await people.act({
      word: 'fence.raise',
      by: 'root',
      work: async (tx, principal) => {
        const { fence } = await raiseEnvironmentFence(tx, principal, { environment, seen, reason: 'looked' });
        return { fence };
      },
    });
    if (answer.kind === 'done' && server.process.isAlive()) void sealTargets(deps, called, answer.body.fence);
  }

  private targetsAtOnce(): number {
    const { state, plan } = this.world;
    return state.settingRows.get('limits.targetsAtOnce')?.value ?? plan.settings['limits.targetsAtOnce'];
  }

  /** An approver loses the right, or gets it back: approvals count by the rights held when the intent is written. */
  private changeRights(subject: string): void {
    const { state, journal } = this.world;
    const id = personIdOf(subject);
    const person = state.persons.get(id);
    const full = PEOPLE[subject] ?? [];
    if (!person) return;
    const hasAll = person.bindings.length === full.length;
    journal.reach('rights.changed');
    state.persons.set(id, {
      ...person,
      bindings: hasAll ? full.filter((binding) => binding.role !== 'approver') : full,
    });
  }

  private async changeSomeSetting(): Promise<void> {
    const { people, scheduler } = this.world;
    const { random } = scheduler;
    const [key, values] = random.pick<[AnySettingKey, number[]]>([
      ['gates.holdFor', [5_000, 30_000]],
      ['gates.tests.timeout', [2_000, 20_000]],
      ['gates.tests.retries', [0, 4]],
      ['precheck.interval', [1_000, 20_000]],
      ['probe.timeout', [500, 10_000]],
      ['locks.timeout', [1_000, 60_000]],
      ['locks.mode', [0, 1]],
    ]);
    const value = random.chance(20) ? null : random.pick(values);
    await people.act({
      word: 'setting.change',
      by: 'olga',
      work: async (tx, principal) => {
        await changeSetting(tx, principal, { key, value, reason: 'tried', seenVersion: null });
        return {};
      },
    });
  }

  /** Its gates change for the promotions that come from now on. */
  private async applyOne(): Promise<void> {
    const { people, scheduler, state } = this.world;
    const { random } = scheduler;
    const stored = random.pick([...state.definitions.values()]);
    const { definition } = stored;
    const { promotesFrom } = definition;
    const kinds = (['http', 'approval'] as const).filter(() => random.chance(50));
    const gates = kinds.map((kind) => drawGate(random, kind, { isShort: true, promotesFrom }));
    const isTurned = this.world.plan.isByComponent && random.chance(60);
    const other = definition.concurrency === 'exclusive' ? ('per_component' as const) : ('exclusive' as const);
    const concurrency = isTurned ? other : definition.concurrency;
    const changed: EnvironmentDefinition = { ...definition, gates, concurrency };
    await people.act({
      word: 'environment.apply',
      by: 'root',
      work: async (tx, principal) => {
        await applyDefinitions(tx, principal, { definitions: [changed], isPruning: false, findCycle: () => null });
        return {};
      },
    });
  }

  private async takeSomeLock(isForced: boolean): Promise<void> {
    const { people, scheduler, state } = this.world;
    const held = [...state.locks.values()].filter((lock) => lock.releasedAtMs === null && lock.mode === 'exclusive');
    if (held.length === 0) return;
    const lockId: LockId = scheduler.random.pick(held).id;
    const answer = await people.act({
      word: isForced ? 'lock.force' : 'lock.release',
      by: 'olga',
      work: async (tx, principal, { ids }) => {
        const taken = await takeLock(tx, { ids }, principal, { lockId, isForced, reason: 'stuck' });
        return { environment: taken.definition.name, targets: taken.targets, fence: taken.fence };
      },
    });
    if (answer.kind !== 'done') return;
    // The server that answered seals; when it dies meanwhile, the targets stay as they are.
    const { fence, ...sealed } = answer.body;
    const server = scheduler.random.pick(this.world.servers());
    if (!server.process.isAlive()) return;
    const clock = server.process.clockOn('world');
    const called = { ...sealed, atOnce: this.targetsAtOnce() };
    void sealTargets({ openTarget: (one) => server.openTarget(one), clock }, called, fence);
  }
}

/** Promotions that have not ended. */
export function liveCount({ state }: Pick<AgendaWorld, 'state'>): number {
  let count = 0;
  for (const { promotion } of state.promotions.values()) if (!isTerminal(promotion.status)) count += 1;
  return count;
}
