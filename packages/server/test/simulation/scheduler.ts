/**
 * Owns time and order in a seed: nothing happens but what stands in the agenda, and between two entries every promise
 * that can settle has settled. Time passes only by going to the next entry, so a day costs nothing.
 *
 * There are two axes. On the `world` axis stand people, gates, targets and deadlines: entries at a moment of the
 * database's clock. On the `loop` axis stand the loops of workers (poll, renewal, self-stop), which go round every few
 * hundred milliseconds. When nothing can happen for a while but loops that find nothing, `skip` lets the database's clock
 * jump and leaves the loops where they are: the same as if they had gone round in vain, and ten thousand times cheaper.
 */
import type { SeededRandom } from '@stella/testkit';

/** Taken before a seed takes the real world away. */
const nextTurn = setImmediate;

export type Axis = 'world' | 'loop';

export interface Scheduler {
  readonly random: SeededRandom;
  /** The database's clock, whole milliseconds. */
  nowMs(): number;
  /** Only grows, and not by skips. */
  monotonicMs(): number;
  /** Runs once; entries of one moment come in random order. Answers how to strike it. */
  after(delayMs: number, run: () => void, axis?: Axis): () => void;
  /** Moment of the next entry of the world; infinite when there is none. */
  nextWorldAtMs(): number;
  /** Lets the database's clock jump, at most to the next entry of the world. */
  skip(ms: number): void;
  /** Mixes a number into the trace. */
  note(value: number): void;
  /** Mixes a text into the trace. */
  noteText(text: string): void;
  /** One number for everything that was noted and every entry that was run, in order. */
  traceHash(): string;
  entryCount(): number;
  /** Runs entries until `isOver` answers true after one, or nothing is left. Rejects with what an entry throws. */
  run(isOver: () => boolean): Promise<void>;
}

interface Entry {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | null;
}

export function makeScheduler(startMs: number, random: SeededRandom): Scheduler {
  return new HeapScheduler(startMs, random);
}

class HeapScheduler implements Scheduler {
  readonly random: SeededRandom;
  private loopMs: number;
  private skippedMs = 0;
  private readonly loops: Entry[] = [];
  private readonly world: Entry[] = [];
  private hashLow = 0x811c9dc5;
  private hashHigh = 0x1b873593;
  private count = 0;

  constructor(startMs: number, random: SeededRandom) {
    this.loopMs = startMs;
    this.random = random;
  }

  nowMs(): number {
    return Math.floor(this.loopMs + this.skippedMs);
  }

  monotonicMs(): number {
    return this.loopMs;
  }

  after(delayMs: number, run: () => void, axis: Axis = 'world'): () => void {
    const beginMs = axis === 'loop' ? this.loopMs : this.loopMs + this.skippedMs;
    const entry: Entry = { atMs: beginMs + Math.max(0, delayMs), order: this.random.fraction(), run };
    push(axis === 'loop' ? this.loops : this.world, entry);
    return () => {
      entry.run = null;
    };
  }

  nextWorldAtMs(): number {
    dropStruck(this.world);
    return this.world[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  skip(ms: number): void {
    const limitMs = this.nextWorldAtMs() - (this.loopMs + this.skippedMs);
    this.skippedMs += Math.max(0, Math.min(ms, limitMs));
  }

  note(value: number): void {
    this.hashLow = Math.imul(this.hashLow ^ value, 0x01000193) >>> 0;
    this.hashHigh = (Math.imul(this.hashHigh ^ value, 0x85ebca6b) + this.hashLow) >>> 0;
  }

  noteText(text: string): void {
    for (let index = 0; index < text.length; index += 1) this.note(text.charCodeAt(index));
  }

  traceHash(): string {
    return this.hashHigh.toString(16).padStart(8, '0') + this.hashLow.toString(16).padStart(8, '0');
  }

  entryCount(): number {
    return this.count;
  }

  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          const isMore = !isOver() && this.runNext();
          if (isMore) nextTurn(turn);
          else resolve();
        } catch (error) {
          reject(error);
        }
      };
      nextTurn(turn);
    });
  }

  private runNext(): boolean {
    dropStruck(this.world);
    dropStruck(this.loops);
    const [world] = this.world;
    const [loop] = this.loops;
    if (!world && !loop) return false;
    const worldMs = world ? world.atMs - this.skippedMs : Number.POSITIVE_INFINITY;
    const isWorld = worldMs < (loop?.atMs ?? Number.POSITIVE_INFINITY);
    const entry = pop(isWorld ? this.world : this.loops);
    const { run } = entry;
    entry.run = null;
    this.loopMs = Math.max(this.loopMs, isWorld ? worldMs : entry.atMs);
    this.count += 1;
    this.note(Math.floor(this.loopMs));
    run?.();
    return true;
  }
}

function dropStruck(heap: Entry[]): void {
  while (heap[0]?.run === null) pop(heap);
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A binary heap in an array: the children of `i` are `2i + 1` and `2i + 2`. */
function push(heap: Entry[], entry: Entry): void {
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex];
    if (!parent || !isBefore(entry, parent)) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = entry;
}

/** The heap must not be empty. */
function pop(heap: Entry[]): Entry {
  const first = heap[0];
  const last = heap.pop();
  if (!first || !last) throw new RangeError('the agenda is empty');
  if (heap.length === 0) return first;
  let index = 0;
  for (let child = smallerChild(heap, 0); child !== null; child = smallerChild(heap, index)) {
    const entry = heap[child];
    if (!entry || !isBefore(entry, last)) break;
    heap[index] = entry;
    index = child;
  }
  heap[index] = last;
  return first;
}

function smallerChild(heap: readonly Entry[], index: number): number | null {
  const left = heap[2 * index + 1];
  const right = heap[2 * index + 2];
  if (!left) return null;
  return right && isBefore(right, left) ? 2 * index + 2 : 2 * index + 1;
}
