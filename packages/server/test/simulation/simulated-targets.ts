/**
 * Targets on machines of their own: they keep the real fence rules, go on when their caller has died, and fail in every
 * way that a machine at the other end of a network can. Each change is compared with the newest fence that the target
 * ever accepted (safety S4), and noted.
 */
import {
  compareFences,
  type Digest,
  digestOf,
  type Fence,
  formatFence,
  type ReleaseComponent,
  type TargetHolding,
} from '@stella/domain';
import { insist } from '@stella/testkit';
import type {
  AcceptedOperation,
  ObserveAnswer,
  OperationAnswer,
  ProbeAnswer,
  SealAnswer,
  Target,
  TargetCall,
} from '../../src/ports/target.ts';
import { decideOperation, decideSeal } from '../../src/targets/fence-rules.ts';
import type { FaultMix } from './fault-mix.ts';
import type { Journal } from './journal.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** What a target runs that somebody has changed by hand. */
const SOMETHING_ELSE = digestOf('something else');
/** Until a copy of a request arrives that was held up on its way. */
const LATE_COPY_MS_MAX = 60_000;

export interface TargetWorld {
  readonly scheduler: Scheduler;
  readonly mix: FaultMix;
  readonly journal: Journal;
  readonly applyMs: number;
  isFaulty: () => boolean;
  readonly guarded: (check: () => void) => void;
  /** Called with each operation that arrives. */
  readonly checkOrder: (order: TargetOrder) => void;
}

export interface TargetOrder {
  readonly operationId: string;
  readonly target: string;
  readonly digest: Digest;
}

/** One machine. */
export interface Machine {
  readonly name: string;
  digest: Digest | null;
  isHealthy: boolean;
  accepted: AcceptedOperation | null;
  result: OperationAnswer | null;
  /** The newest operation, sealed over or not. */
  last: TargetHolding['operation'];
  /** The highest fence that was ever accepted or sealed, kept apart from the rules under test. */
  newest: Fence | null;
  /** Operations that have changed it. */
  readonly switched: Set<string>;
}

export function makeMachine(name: string, digest: Digest | null): Machine {
  return { name, digest, isHealthy: true, accepted: null, result: null, last: null, newest: null, switched: new Set() };
}

/** It has seen what the database lost: a seal, or an operation that changed nothing any more. */
export function loseTailOf(machine: Machine, fence: Fence, operationId: string | null): void {
  machine.accepted = { fence, operationId: null };
  machine.result = null;
  if (operationId !== null) machine.last = { fence, operationId };
  accept(machine, fence);
}

/** The machine as one process reaches it. */
export function makeTargetClient(world: TargetWorld, process: SimulatedProcess, machine: Machine): Target {
  const link = { world, process, machine };
  return {
    probe: (call) => exchange<ProbeAnswer>(link, call, { request: () => probe(link), lost: unprobed }),
    observe: (call) => exchange<ObserveAnswer>(link, call, { request: () => observe(link), lost: errored }),
    seal: (call, fence) => exchange<SealAnswer>(link, call, { request: () => seal(link, fence), lost: errored }),
    deploy: (call, fence, operationId, component) => operate(link, call, { fence, operationId, component }),
    rollback: (call, fence, operationId, component) => operate(link, call, { fence, operationId, component }),
  };
}

interface Link {
  readonly world: TargetWorld;
  readonly process: SimulatedProcess;
  readonly machine: Machine;
}

interface Order {
  readonly fence: Fence;
  readonly operationId: string;
  readonly component: ReleaseComponent;
}

function errored(message: string): { outcome: 'errored'; code: string; message: string } {
  return { outcome: 'errored', code: 'target.unreachable', message };
}

function unprobed(message: string): ProbeAnswer {
  return { ...errored(message), stages: [] };
}

interface Exchange<Answer> {
  /** Runs at the machine when the request arrives. */
  readonly request: () => Answer;
  readonly lost: (message: string) => Answer;
}

/** A short request: it may get lost on its way there or back, or hang until its deadline. */
function exchange<Answer>(link: Link, call: TargetCall, { request, lost }: Exchange<Answer>): Promise<Answer> {
  const { world, process } = link;
  const { random } = world.scheduler;
  const fault = drawFault(world, ['request_lost', 'answer_lost', 'hang'] as const);
  return new Promise((resolve) => {
    process.enterAfter(call.timeoutMs, () => resolve(lost('no answer')));
    call.signal.addEventListener('abort', () => resolve(lost('aborted')), { once: true });
    if (fault === 'request_lost') {
      process.enterAfter(random.between(1, 200), () => resolve(lost('connection refused')));
      return;
    }
    world.scheduler.after(random.between(1, 200), () => {
      const answer = request();
      if (fault === 'hang') return;
      process.enterAfter(random.between(1, 100), () =>
        resolve(fault === 'answer_lost' ? lost('connection reset') : answer),
      );
    });
  });
}

function drawFault<Fault extends string>(world: TargetWorld, faults: readonly Fault[]): Fault | null {
  const { random } = world.scheduler;
  if (!world.isFaulty() || !random.chance(world.mix.target)) return null;
  const fault = random.pick(faults);
  world.journal.fault(`target.${fault}`);
  return fault;
}

function holdingOf({ accepted, last }: Machine): TargetHolding | null {
  return accepted && { fence: accepted.fence, operation: last };
}

function probe({ world, machine }: Link): ProbeAnswer {
  const isBad = world.isFaulty() && world.scheduler.random.chance(world.mix.target / 3);
  return isBad
    ? { outcome: 'failed', code: 'target.not_ready', message: 'the disk is full', stages: [] }
    : { outcome: 'ok', message: 'can be written', holds: holdingOf(machine), stages: [] };
}

function observe({ machine }: Link): ObserveAnswer {
  const { digest, isHealthy } = machine;
  const message = isHealthy ? '' : 'answers 503';
  return { outcome: 'ok', observation: { digest, isHealthy, message, holds: holdingOf(machine) } };
}

function seal({ machine, world }: Link, fence: Fence): SealAnswer {
  const decision = decideSeal(machine.accepted, fence);
  if (decision.kind === 'refused') return { outcome: 'refused', held: decision.held };
  const last = machine.accepted ? { ...machine.accepted, result: machine.result } : null;
  world.journal.reach(`seal.${decision.kind}`);
  if (decision.kind === 'stored') {
    machine.accepted = { fence, operationId: null };
    machine.result = null;
  }
  // From its answer on nothing older may change anything, whatever was stored.
  accept(machine, fence);
  return { outcome: 'sealed', last };
}

function accept(machine: Machine, fence: Fence): void {
  const { newest } = machine;
  if (!newest || compareFences(fence, newest) > 0) machine.newest = fence;
}

const OPERATION_FAULTS = ['request_lost', 'answer_lost', 'hang', 'fail', 'apply_late', 'vanish'] as const;

function operate(link: Link, call: TargetCall, order: Order): Promise<OperationAnswer> {
  const { world, process } = link;
  const { random } = world.scheduler;
  const fault = drawFault(world, OPERATION_FAULTS);
  if (world.isFaulty() && random.chance(world.mix.lateCopy)) {
    world.journal.fault('target.late_copy');
    world.scheduler.after(random.between(100, LATE_COPY_MS_MAX), () =>
      arrive(link, order, { answer: ignore, fault: null }),
    );
  }
  return new Promise((resolve) => {
    let isOver = false;
    const end = (answer: OperationAnswer): void => {
      isOver = true;
      resolve(answer);
    };
    process.enterAfter(call.timeoutMs, () => end(errored('no answer before the deadline')));
    call.signal.addEventListener('abort', () => end(errored('aborted')), { once: true });
    if (fault === 'request_lost') {
      process.enterAfter(random.between(1, 200), () => end(errored('connection refused')));
      return;
    }
    const answer = (given: OperationAnswer): void => {
      if (fault === 'hang') return;
      const seen = fault === 'answer_lost' ? errored('connection reset') : given;
      process.enterAfter(random.between(1, 100), () => end(seen));
    };
    const isAborted = (): boolean => isOver && call.signal.aborted;
    world.scheduler.after(random.between(1, 200), () => arrive(link, order, { answer, fault, isAborted }));
  });
}

interface Arrival {
  readonly answer: (given: OperationAnswer) => void;
  readonly fault: (typeof OPERATION_FAULTS)[number] | null;
  /** Its caller gave up, and the machine has heard of it. */
  readonly isAborted?: () => boolean;
}

function ignore(): void {
  // Nobody waits for the answer to a copy.
}

function arrive(link: Link, order: Order, { answer, fault, isAborted }: Arrival): void {
  const { world, machine } = link;
  const { random } = world.scheduler;
  const { fence, operationId, component } = order;
  world.checkOrder({ operationId, target: machine.name, digest: component.digest });
  const decision = decideOperation(machine.accepted, fence, operationId);
  world.journal.reach(`operation.${decision.kind}`);
  if (decision.kind === 'refused') {
    answer({
      outcome: 'refused',
      held: decision.held,
      message: `a newer fence ${formatFence(decision.held)} is there`,
    });
    return;
  }
  if (decision.kind === 'known') {
    // A repeat while the first is under way is not answered: its caller keeps its own deadline.
    if (machine.result) answer(machine.result);
    return;
  }
  machine.accepted = { fence, operationId };
  machine.last = { fence, operationId };
  machine.result = null;
  accept(machine, fence);
  if (fault === 'vanish') return;
  const isSlow = fault === 'apply_late' || random.chance(5);
  const applyMs = isSlow ? random.between(2_000, 90_000) : random.between(1, 2 * world.applyMs);
  world.scheduler.after(applyMs, () => {
    const given = finish(link, order, { isFailing: fault === 'fail', isAborted: isAborted?.() ?? false });
    if (given) answer(given);
  });
}

/** Looks at the fence once more, just before the switch. */
function finish(
  link: Link,
  { fence, operationId, component }: Order,
  { isFailing, isAborted }: { isFailing: boolean; isAborted: boolean },
): OperationAnswer | null {
  const { world, machine } = link;
  const decision = decideOperation(machine.accepted, fence, operationId);
  if (decision.kind === 'refused') {
    return { outcome: 'refused', held: decision.held, message: 'a newer fence came meanwhile' };
  }
  if (isFailing || isAborted) {
    const result: OperationAnswer = isFailing
      ? { outcome: 'failed', code: 'deploy.failed', message: 'no space left on device' }
      : { outcome: 'errored', code: 'target.aborted', message: 'undone after its caller gave up' };
    machine.result = result;
    world.journal.operations.set(operationId, 'failed');
    return result;
  }
  switchTo(link, { fence, operationId, component });
  const result: OperationAnswer = { outcome: 'succeeded', digest: component.digest, message: 'switched' };
  machine.result = result;
  world.journal.operations.set(operationId, 'succeeded');
  return result;
}

/** A broken promise at a target ends the seed, whoever is called when it is seen. */
function insistAt(world: TargetWorld, property: string, condition: boolean, message: string): void {
  world.guarded(() => insist(property, condition, () => message));
}

function switchTo({ world, machine }: Link, { fence, operationId, component }: Order): void {
  const { newest } = machine;
  const isStale = newest !== null && compareFences(fence, newest) < 0;
  const words = `${machine.name} was changed by ${operationId} with ${formatFence(fence)}`;
  insistAt(world, 'S4', !isStale, `${words}, which is old`);
  insistAt(world, 'S17', !machine.switched.has(operationId), `${words} twice`);
  machine.switched.add(operationId);
  const { random } = world.scheduler;
  const isBad = world.isFaulty() && random.chance(world.mix.badDeploy);
  const isOther = isBad && random.chance(40);
  if (isBad) world.journal.fault(isOther ? 'target.other_digest' : 'target.unhealthy');
  machine.isHealthy = !isBad || isOther;
  machine.digest = isOther ? SOMETHING_ELSE : component.digest;
  world.journal.changes.push({ target: machine.name, fence, operationId, digest: component.digest });
}
