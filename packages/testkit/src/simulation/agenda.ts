/** A virtual clock and what is to happen when. Time passes only by going to the next entry, so 24 h cost nothing. */
import type { SeededRandom } from './seeded-random.ts';

export interface Agenda {
  nowMs(): number;
  /** Runs once, `delayMs` from now. Entries of the same moment come in random order. Answers how to strike it. */
  after(delayMs: number, run: () => void): () => void;
  /** Goes to the next entry and runs it; false when there is none. */
  runNext(): boolean;
}

interface Entry {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | null;
}

export function makeAgenda(startMs: number, random: SeededRandom): Agenda {
  let nowMs = startMs;
  const heap: Entry[] = [];
  return {
    nowMs: () => nowMs,
    after(delayMs, run) {
      const entry: Entry = { atMs: nowMs + Math.max(0, Math.round(delayMs)), order: random.fraction(), run };
      push(heap, entry);
      return () => {
        entry.run = null;
      };
    },
    runNext() {
      for (let entry = pop(heap); entry; entry = pop(heap)) {
        if (entry.run === null) continue;
        nowMs = entry.atMs;
        entry.run();
        return true;
      }
      return false;
    },
  };
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

function pop(heap: Entry[]): Entry | null {
  const first = heap[0];
  const last = heap.pop();
  if (!first || !last) return null;
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
