/**
 * All states that follow a state. Promotions and environments have numbers; a state is two promotions, the pair of
 * environments, and who may still crash or skip. What a promotion may do depends on its scene only, so that it is computed
 * once for each scene and put together for each state. Workers are alike: it counts only whether one has both promotions.
 */
import { isTerminal } from '@stella/domain';
import { canonicalPart, nearer, nextMoment } from './canonical.ts';
import { Interned, rememberByNumber } from './interned.ts';
import { judgeAlone, judgeState } from './judge-state.ts';
import { crashed, type DecideFunction, movesOf } from './moves.ts';
import type { Words } from './state-table.ts';
import { lateMoves } from './targets.ts';
import { dueNow, isAsleep, NOW_MS, otherOf, type Part, type Place, type Stage } from './world.ts';

/** Two promotions, their environments in the order of the line, and what may still happen. */
export interface Start {
  readonly stage: Stage;
  readonly parts: readonly [Part, Part];
  readonly places: readonly [Place, Place];
  /** Where the releases of the second environment must have completed before. */
  readonly isRow: boolean;
  readonly crashes: number;
  readonly skips: number;
}

export interface Step {
  readonly name: string;
  /** -1: of none of them. */
  readonly promotionIndex: number;
  readonly words: Words;
  readonly broken: string | null;
}

interface LocalMove {
  readonly name: string;
  readonly part: number;
  readonly place: number;
  readonly wakes: boolean;
  readonly usesSkip: boolean;
  readonly isClaim: boolean;
  readonly broken: string | null;
}

/** Scenes whose moves are kept; more would take the memory that the states need. */
const SCENES_MAX = 1_500_000;
const CRASH = 1;
const SKIP = 16;
const SHARED = 256;
const NEVER_MS = Number.POSITIVE_INFINITY;
type Index = 0 | 1;

export class Universe {
  readonly first: Words;
  readonly #stage: Stage;
  readonly #isRow: boolean;
  readonly #decideWith: DecideFunction;
  readonly #environments: readonly [Index, Index];
  readonly #parts = new Interned<Part>(textOfPart);
  readonly #places = new Interned<Place>((place) => JSON.stringify(place));
  readonly #grounds = new Interned<readonly [number, number]>((pair) => pair.join());
  readonly #scenes: Map<number, readonly LocalMove[]>[] = [];
  #sceneCount = 0;

  constructor({ stage, parts, places, isRow, crashes, skips }: Start, decideWith: DecideFunction) {
    this.#stage = stage;
    this.#isRow = isRow;
    this.#decideWith = decideWith;
    const indexOf = ({ promotion }: Part): Index => (promotion.environment === places[0].status.name ? 0 : 1);
    this.#environments = [indexOf(parts[0]), indexOf(parts[1])];
    this.first = [
      this.#parts.numberOf(canonicalPart(parts[0], 0)),
      this.#parts.numberOf(canonicalPart(parts[1], 0)),
      this.#grounds.numberOf([this.#places.numberOf(places[0]), this.#places.numberOf(places[1])]),
      crashes * CRASH + skips * SKIP,
    ];
  }

  /** How many different rows were seen: promotions, environments, and scenes that are kept. */
  get counts(): { parts: number; places: number; scenes: number } {
    return { parts: this.#parts.values.length, places: this.#places.values.length, scenes: this.#sceneCount };
  }

  judge([p0, p1, ground]: Words): string | null {
    const [a, b] = this.#grounds.at(ground);
    const judged = [this.#judged(p0), this.#judged(p1)];
    return judgeState(this.#stage, {
      parts: [this.#parts.at(p0), this.#parts.at(p1)],
      judged,
      places: [this.#places.at(a), this.#places.at(b)],
    });
  }

  /** All that may happen next. */
  expand(words: Words, visit: (step: Step) => void): void {
    let isStuck = !(this.#isEnded(words[0]) && this.#isEnded(words[1]));
    for (const index of [0, 1] as const) {
      for (const move of this.#movesOf(words, index)) {
        if (isStuck && !BY_PEOPLE.test(move.name)) isStuck = false;
        this.#apply(words, index, { move, visit });
      }
    }
    this.#crashes(words, visit);
    this.#lateSwitches(words, visit);
    const wentOn = this.#passTime(words, visit);
    if (isStuck && !wentOn) visit({ name: 'stuck', promotionIndex: -1, words, broken: 'L1: nothing will ever happen' });
  }

  #apply(words: Words, index: Index, { move, visit }: { move: LocalMove; visit: (step: Step) => void }): void {
    const { name, part, place, broken } = move;
    const other = words[1 - index] ?? 0;
    const isSameEnvironment = this.#environments[0] === this.#environments[1];
    const woken = move.wakes && isSameEnvironment ? this.#woken(other) : other;
    const ground = this.#ground(words[2], this.#environments[index], place);
    const isAlone = !this.#isClaimed(part) || !this.#isClaimed(other);
    const flags = (isAlone ? words[3] & ~SHARED : words[3]) - (move.usesSkip ? SKIP : 0);
    const next = (shared: number): Words =>
      index === 0 ? [part, woken, ground, flags | shared] : [woken, part, ground, flags | shared];
    visit({ name, promotionIndex: index, words: next(0), broken });
    // Claimed by the worker that has the other one already.
    if (move.isClaim && this.#isClaimed(other)) {
      visit({ name: `${name} by the same`, promotionIndex: index, words: next(SHARED), broken });
    }
  }

  #movesOf(words: Words, index: Index): readonly LocalMove[] {
    const part = words[index];
    if (this.#isEnded(part)) return [];
    const other = words[1 - index] ?? 0;
    const pair = this.#grounds.at(words[2]);
    const place = pair[this.#environments[index]];
    const predecessor = this.#isRow && this.#environments[index] === 1 ? pair[0] : null;
    const maySkip = words[3] % SHARED >= SKIP;
    const key =
      (((predecessor ?? -1) + 1) * 2 ** 20 + place) * 2 ** 10 + this.#seen(index, other) * 2 + (maySkip ? 1 : 0);
    const scenes = this.#scenes[part] ?? new Map<number, readonly LocalMove[]>();
    this.#scenes[part] = scenes;
    const known = scenes.get(key);
    if (known) return known;
    const moves = movesOf(
      {
        stage: this.#stage,
        part: this.#parts.at(part),
        place: this.#places.at(place),
        predecessor: predecessor === null ? null : this.#places.at(predecessor),
        other: this.#other(index, other),
        maySkip,
      },
      this.#decideWith,
    ).map((move) => ({ ...move, part: this.#parts.numberOf(move.part), place: this.#places.numberOf(move.place) }));
    scenes.set(key, moves);
    this.#sceneCount += 1;
    if (this.#sceneCount >= SCENES_MAX) this.#forget();
    return moves;
  }

  #forget(): void {
    this.#scenes.length = 0;
    this.#sceneCount = 0;
  }

  #crashes(words: Words, visit: (step: Step) => void): void {
    const [p0, p1, , flags] = words;
    if (flags % SKIP === 0) return;
    const isShared = (flags & SHARED) !== 0;
    const claimed = ([0, 1] as const).filter((index) => this.#isClaimed(index === 0 ? p0 : p1));
    for (const who of isShared ? [claimed] : claimed.map((index) => [index])) {
      const next: [number, number, number, number] = [...words];
      next[3] = (flags & ~SHARED) - CRASH;
      for (const index of who) {
        const environment = this.#environments[index];
        const after = this.#crashed(next[index], this.#grounds.at(next[2])[environment]);
        next[index] = after.part;
        next[2] = this.#ground(next[2], environment, after.place);
      }
      visit({ name: 'crash', promotionIndex: who[0] ?? -1, words: next, broken: null });
    }
  }

  readonly #crashedOf = rememberByNumber((_part) => new Map<number, { part: number; place: number }>());

  #crashed(part: number, place: number): { part: number; place: number } {
    const known = this.#crashedOf(part);
    const found = known.get(place);
    if (found) return found;
    const after = crashed(this.#parts.at(part), this.#places.at(place));
    const numbers = {
      part: this.#parts.numberOf(canonicalPart(after.part, 0)),
      place: this.#places.numberOf(after.place),
    };
    known.set(place, numbers);
    return numbers;
  }

  #lateSwitches([p0, p1, ground, flags]: Words, visit: (step: Step) => void): void {
    for (const environment of [0, 1] as const) {
      for (const { place, broken } of this.#late(this.#grounds.at(ground)[environment])) {
        const words: Words = [p0, p1, this.#ground(ground, environment, place), flags];
        visit({ name: 'late', promotionIndex: -1, words, broken });
      }
    }
  }

  /** To the next moment that anybody waits for; false when nobody waits for any. */
  #passTime([p0, p1, ground, flags]: Words, visit: (step: Step) => void): boolean {
    const byMs = Math.min(this.#nextMs(p0), this.#nextMs(p1));
    if (byMs === NEVER_MS) return false;
    const words: Words = [this.#nearer(p0, byMs), this.#nearer(p1, byMs), ground, flags];
    visit({ name: 'time', promotionIndex: -1, words, broken: null });
    return true;
  }

  #ground(ground: number, environment: Index, place: number): number {
    const [a, b] = this.#grounds.at(ground);
    if ((environment === 0 ? a : b) === place) return ground;
    const known = this.#grounded(ground);
    const key = place * 2 + environment;
    const found = known.get(key);
    if (found !== undefined) return found;
    const number = this.#grounds.numberOf(environment === 0 ? [place, b] : [a, place]);
    known.set(key, number);
    return number;
  }

  /** What the promotion of that index sees of the other one, and a number for it. */
  #other(index: Index, other: number): ReturnType<typeof otherOf> {
    return otherOf(this.#parts.at(other), this.#environmentName(index));
  }

  #environmentName(index: Index): string {
    return this.#places.at(this.#grounds.at(0)[this.#environments[index]]).status.name;
  }

  #seen(index: Index, other: number): number {
    return index === 0 ? this.#seenByFirst(other) : this.#seenBySecond(other);
  }

  readonly #seenByFirst = rememberByNumber((other) => codeOf(this.#other(0, other)));
  readonly #seenBySecond = rememberByNumber((other) => codeOf(this.#other(1, other)));
  readonly #isEnded = rememberByNumber((part) => isTerminal(this.#parts.at(part).promotion.status));
  readonly #isClaimed = rememberByNumber((part) => this.#parts.at(part).run !== null);
  readonly #woken = rememberByNumber((part) => {
    const value = this.#parts.at(part);
    return isAsleep(value) ? this.#parts.numberOf(dueNow(value)) : part;
  });
  readonly #nextMs = rememberByNumber((part) => (nextMoment(this.#parts.at(part)) ?? NEVER_MS) - NOW_MS);
  readonly #judged = rememberByNumber((part) => {
    const value = this.#parts.at(part);
    return judgeAlone(this.#stage, value, this.#places.at(0));
  });
  readonly #late = rememberByNumber((place) =>
    lateMoves(this.#places.at(place)).map((one) => ({ ...one, place: this.#places.numberOf(one.place) })),
  );
  readonly #grounded = rememberByNumber((_ground) => new Map<number, number>());
  readonly #laterOf = rememberByNumber((_part) => new Map<number, number>());

  #nearer(part: number, byMs: number): number {
    const later = this.#laterOf(part);
    const known = later.get(byMs);
    if (known !== undefined) return known;
    const number = this.#parts.numberOf(nearer(this.#parts.at(part), byMs, this.#stage.settings['queue.maxWait']));
    later.set(byMs, number);
    return number;
  }
}

const BY_PEOPLE = /^(?:approve|reject|cancel|skip|force)/;

/** Less than 2 to the 9. */
function codeOf({ holds, ticket, hasEnded }: ReturnType<typeof otherOf>): number {
  return (holds ? 1 : 0) + (hasEnded ? 2 : 0) + (ticket === null ? 0 : ticket + 1) * 4;
}

/** Without the definition, which never changes. */
function textOfPart(part: Part): string {
  const { definition: _frozen, ...row } = part.promotion;
  return JSON.stringify({ ...part, promotion: row });
}
