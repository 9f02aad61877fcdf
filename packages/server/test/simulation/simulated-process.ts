/**
 * One operating-system process: its code runs only while it lives and is not paused. Everything that its code waits for
 * comes to it through `hand`, so that it can be killed or stopped between any two awaits that leave the process: what it
 * waited for then never comes, or comes when it goes on.
 */
import type { Clock } from '../../src/ports/clock.ts';
import type { Axis, Scheduler } from './scheduler.ts';

/** A clock that runs too fast or too slow by so many thousandths at most, as an undisciplined quartz does. */
const DRIFT_MAX_PER_MILLE = 1;
/** Longer than the slowest of a worker's loops by which it stops itself. */
const WAKING_UP_MS = 1_200;

export interface SimulatedProcess {
  /** For the trace: 1, 2, 3 … in order of birth. */
  readonly number: number;
  isAlive(): boolean;
  isPaused(): boolean;
  /** It stood still a moment ago: its loops have not all noticed. */
  isWakingUp(): boolean;
  /** Time as this process sees it; its wall clock may be wrong, its timers run on the given axis. */
  clockOn(axis: Axis): Clock;
  setSkew(skewMs: number): void;
  /** Its monotonic clock goes on by so much without its loops: the clock jumped while it stood still. */
  passTime(ms: number): void;
  /** Runs inside the process: now, after its pause, or never. */
  enter(run: () => void): void;
  /** The same, `delayMs` from now. */
  enterAfter(delayMs: number, run: () => void): void;
  /** The answer of a call that left the process. */
  hand<T>(call: Promise<T>): Promise<T>;
  kill(): void;
  pause(): void;
  resume(): void;
  /** Called once, at its death. */
  onDeath(run: () => void): void;
}

export interface ProcessOptions {
  readonly number: number;
  readonly scheduler: Scheduler;
  /** Called before each entry into the process; true: it dies here. */
  readonly diesHere: () => boolean;
  /** Milliseconds until an answer that is there is taken up. */
  readonly latencyMs: () => number;
}

export function makeProcess(options: ProcessOptions): SimulatedProcess {
  return new Process(options);
}

class Process implements SimulatedProcess {
  readonly number: number;
  private readonly options: ProcessOptions;
  private readonly speed: number;
  private state: 'running' | 'paused' | 'dead' = 'running';
  private skewMs = 0;
  private passedMs = 0;
  private resumedAtMs = Number.NEGATIVE_INFINITY;
  private readonly backlog: (() => void)[] = [];
  private readonly mourners: (() => void)[] = [];

  constructor(options: ProcessOptions) {
    this.options = options;
    this.number = options.number;
    const perMille = options.scheduler.random.between(-DRIFT_MAX_PER_MILLE, DRIFT_MAX_PER_MILLE);
    this.speed = 1 + perMille / 1_000;
  }

  isAlive(): boolean {
    return this.state !== 'dead';
  }

  isPaused(): boolean {
    return this.state === 'paused';
  }

  isWakingUp(): boolean {
    return this.options.scheduler.monotonicMs() - this.resumedAtMs < WAKING_UP_MS;
  }

  setSkew(skewMs: number): void {
    this.skewMs = skewMs;
  }

  passTime(ms: number): void {
    this.passedMs += ms;
  }

  clockOn(axis: Axis): Clock {
    const { scheduler } = this.options;
    const schedule = (delayMs: number, run: () => void): (() => void) => {
      let isStruck = false;
      const inside = (): void => {
        if (!isStruck) run();
      };
      const strike = scheduler.after(delayMs * this.speed, () => this.enter(inside), axis);
      return () => {
        isStruck = true;
        strike();
      };
    };
    return {
      nowMs: () => scheduler.nowMs() + this.skewMs,
      monotonicMs: () => (scheduler.monotonicMs() + this.passedMs) / this.speed,
      schedule,
      timeoutSignal: (delayMs) => {
        const controller = new AbortController();
        schedule(delayMs, () => controller.abort());
        return controller.signal;
      },
    };
  }

  enter(run: () => void): void {
    if (this.state === 'dead') return;
    if (this.state === 'paused') {
      this.backlog.push(run);
      return;
    }
    if (this.options.diesHere()) {
      this.kill();
      return;
    }
    this.options.scheduler.note(this.number);
    run();
  }

  enterAfter(delayMs: number, run: () => void): void {
    this.options.scheduler.after(delayMs, () => this.enter(run));
  }

  hand<T>(call: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const take = (run: () => void): void => {
        const latencyMs = this.options.latencyMs();
        if (latencyMs > 0) this.enterAfter(latencyMs, run);
        else this.enter(run);
      };
      call.then(
        (value) => take(() => resolve(value)),
        (error: unknown) => take(() => reject(error)),
      );
    });
  }

  kill(): void {
    if (this.state === 'dead') return;
    this.state = 'dead';
    this.backlog.length = 0;
    for (const mourn of this.mourners) mourn();
  }

  pause(): void {
    if (this.state === 'running') this.state = 'paused';
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    this.resumedAtMs = this.options.scheduler.monotonicMs();
    // One after another, in the order of coming; each may pause or kill it again.
    for (const run of this.backlog.splice(0)) this.options.scheduler.after(0, () => this.enter(run));
  }

  onDeath(run: () => void): void {
    this.mourners.push(run);
  }
}
