/**
 * Runs two transactions in every order of their statements. Each run begins from the same rows and follows a prefix of
 * choices; where both sides can go on, the one that was not taken is tried by a later run. Orders that differ only in
 * neighbours which do not touch each other are the same (sleep sets); `isWhole` runs those, too. A limited search takes a
 * spread of them.
 */
import type pg from 'pg';
import type { PendingStatement, Side } from './statement-gate.ts';

/** On a busy machine; longer than that is a hang. */
const STEP_TIMEOUT_MS = 120_000;
/** Spreads the runs of a limited search over all depths; a prime, so that it meets every remainder. */
const STRIDE = 7_919;

export interface Pair {
  /** Restores the rows and starts both sides, each of which stops before its first statement. */
  begin(): Promise<void>;
  /** After both have ended. */
  check(schedule: string): Promise<void>;
}

export interface Explored {
  readonly runCount: number;
  readonly stepCount: number;
  /** Orders that were left for a larger search. */
  readonly leftCount: number;
}

export interface Search {
  readonly admin: pg.Client;
  readonly isWhole: boolean;
  /** Of one pair. */
  readonly runsMax: number;
}

type Name = 'A' | 'B';
type Sides = Readonly<Record<Name, Side>>;

interface Choice {
  readonly taken: Name;
  /** The side that sleeps from here on: its statement was tried before, and nothing since has touched it. */
  readonly sleeping: Name | null;
}

export async function explore(pair: Pair, sides: Sides, { admin, isWhole, runsMax }: Search): Promise<Explored> {
  const todo: (readonly Choice[])[] = [[]];
  let runCount = 0;
  let stepCount = 0;
  while (todo.length > 0 && runCount < runsMax) {
    const [prefix = []] = todo.splice((runCount * STRIDE) % todo.length, 1);
    await pair.begin();
    const run = { sides, admin, prefix, path: [] as Choice[], sleeping: null as Name | null, schedule: [] as string[] };
    await Promise.all([settle(sides.A, admin), settle(sides.B, admin)]);
    while (!sides.A.isOver() || !sides.B.isOver()) {
      const branch = await step(run);
      if (branch) todo.push([...branch, { taken: 'B', sleeping: isWhole ? null : 'A' }]);
    }
    runCount += 1;
    stepCount += run.schedule.length;
    await pair.check(run.schedule.join(' '));
  }
  return { runCount, stepCount, leftCount: todo.length };
}

interface Run {
  readonly sides: Sides;
  readonly admin: pg.Client;
  readonly prefix: readonly Choice[];
  readonly path: Choice[];
  sleeping: Name | null;
  readonly schedule: string[];
}

/** Sends one statement; answers the choices up to here when the other side could have gone on instead. */
async function step(run: Run): Promise<readonly Choice[] | null> {
  const { sides, admin, path, schedule } = run;
  const ready = await readySides(run);
  const [first] = ready;
  if (first === undefined) return null;
  let taken: Name = first;
  let branch: readonly Choice[] | null = null;
  if (ready.length === 2) {
    const planned = run.prefix[path.length];
    if (planned) run.sleeping = planned.sleeping;
    else if (run.sleeping === null) branch = [...path];
    taken = planned?.taken ?? (run.sleeping === 'A' ? 'B' : 'A');
    path.push({ taken, sleeping: run.sleeping });
  }
  const other: Name = taken === 'A' ? 'B' : 'A';
  const statement = sides[taken].pending();
  // A sleeper wakes when what is sent now touches what it was about to do.
  if (run.sleeping === taken || !areApart(statement, sides[other].pending())) run.sleeping = null;
  schedule.push(`${taken}:${statement?.name ?? ''}`);
  sides[taken].release();
  await settle(sides[taken], admin);
  await settle(sides[other], admin);
  return branch;
}

/** Those that could send something now; none when both have ended meanwhile. A deadlock is left to PostgreSQL to end. */
async function readySides({ sides, admin, schedule }: Run): Promise<readonly Name[]> {
  const endsAtMs = performance.now() + STEP_TIMEOUT_MS;
  while (!sides.A.isOver() || !sides.B.isOver()) {
    const ready = (['A', 'B'] as const).filter((name) => sides[name].pending() !== null);
    if (ready.length > 0) return ready;
    if (performance.now() > endsAtMs) throw new Error(`both sides are blocked after ${schedule.join(' ')}`);
    await Promise.all([settle(sides.A, admin), settle(sides.B, admin)]);
  }
  return [];
}

/** Sent in either order they do the same. */
function areApart(a: PendingStatement | null, b: PendingStatement | null): boolean {
  if (!a || !b) return false;
  if (a.kind !== 'end' && b.kind !== 'end' && (a.kind === 'read' || b.kind === 'read')) return true;
  const { keys } = b;
  return a.keys !== null && keys !== null && [...a.keys].every((key) => !keys.has(key));
}

/** Until the side stops at its next statement, has ended, or waits for a lock of the other one. */
async function settle(side: Side, admin: pg.Client): Promise<void> {
  const endsAtMs = performance.now() + STEP_TIMEOUT_MS;
  // Each look is a round trip, in which the side's own answer arrives as well.
  while (side.pending() === null && !side.isOver()) {
    if (await isBlocked(side, admin)) return;
    if (performance.now() > endsAtMs) throw new Error(`${side.name} neither goes on nor is blocked`);
  }
}

async function isBlocked(side: Side, admin: pg.Client): Promise<boolean> {
  const { rows } = await admin.query<{ blocked: boolean }>('select cardinality(pg_blocking_pids($1)) > 0 as blocked', [
    side.pid(),
  ]);
  return rows[0]?.blocked === true;
}
