/** Breadth-first search over every state that the real rules can reach in a small closed world. */
import { decide, type PlantedBug, plantBug } from '@stella/domain';
import type { DecideFunction } from './moves.ts';
import { makeStart, type StartPlan } from './start.ts';
import { StateTable } from './state-table.ts';
import { type Step, Universe } from './universe.ts';

export interface SearchPlan extends StartPlan {
  readonly statesMax: number;
  readonly decideWith?: DecideFunction;
  /** A bug of the rules, which the search must find. */
  readonly planted?: PlantedBug;
  readonly onProgress?: (report: SearchReport) => void;
}

export interface SearchReport {
  readonly states: number;
  readonly transitions: number;
  /** Moves from the start to the farthest state whose followers were all looked at. */
  readonly depth: number;
  /** Every state that can be reached was. */
  readonly closed: boolean;
  readonly violations: number;
  readonly seconds: number;
  /** Different rows of a promotion, of an environment, and different scenes. */
  readonly parts: number;
  readonly places: number;
  readonly scenes: number;
  /** The first broken promise, and the moves that lead there. */
  readonly first: { readonly broken: string; readonly moves: readonly string[] } | null;
}

export function search(plan: SearchPlan): SearchReport {
  // What ran before must have come there by right rules.
  const start = makeStart(plan);
  plantBug(plan.planted ?? null);
  const { stackTraceLimit } = Error;
  // Refusals are half of all that people ask, and nobody reads where they were thrown.
  Error.stackTraceLimit = 0;
  try {
    return searchFrom(new Universe(start, plan.decideWith ?? decide), plan);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    plantBug(null);
  }
}

function searchFrom(universe: Universe, { statesMax, onProgress }: SearchPlan): SearchReport {
  const table = new StateTable();
  const startedAtMs = performance.now();
  let transitions = 0;
  let depth = 0;
  let broken: { readonly why: string; readonly at: number; readonly step: Step } | null = null;
  table.add(universe.first, 0);
  const report = (closed: boolean): SearchReport => ({
    states: table.size,
    transitions,
    depth,
    closed,
    violations: broken ? 1 : 0,
    seconds: Math.round((performance.now() - startedAtMs) / 100) / 10,
    ...universe.counts,
    first: broken && { broken: broken.why, moves: [...movesTo(universe, table, broken.at), wordOf(broken.step)] },
  });
  let layerEnd = 1;
  for (let index = 0; index < table.size; index += 1) {
    if (index === layerEnd) {
      layerEnd = table.size;
      depth += 1;
      onProgress?.(report(false));
    }
    universe.expand(table.wordsAt(index), (step) => {
      transitions += 1;
      if (broken) return;
      const isNew = table.add(step.words, index) !== -1;
      const why = step.broken ?? (isNew ? universe.judge(step.words) : null);
      if (why) broken = { why, at: index, step };
    });
    if (broken || table.size >= statesMax) return report(false);
  }
  return report(true);
}

function wordOf({ name, promotionIndex }: Step): string {
  return promotionIndex === -1 ? name : `${name} ${promotionIndex}`;
}

/** From the start to that state, found again by going the same way. */
function movesTo(universe: Universe, table: StateTable, index: number): string[] {
  const moves: string[] = [];
  for (let at = index; at !== 0; at = table.parentOf(at)) {
    const wanted = table.wordsAt(at).join();
    let found: string | null = null;
    universe.expand(table.wordsAt(table.parentOf(at)), (step) => {
      if (found === null && step.words.join() === wanted) found = wordOf(step);
    });
    moves.push(found ?? '?');
  }
  return ['start', ...moves.reverse()];
}
