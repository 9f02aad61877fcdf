/**
 * What each target of a promotion runs, as far as its attempts tell: what people are told when a deploy stops half-way.
 */
import { type Batch, batchesOf } from '../environment/deploy-strategy.ts';
import { componentWords, promisedDigestOf } from '../environment/target-components.ts';
import type { Attempt, AttemptPurpose, AttemptResult } from './promotion.ts';
import { boundBaseOf, stateOfScope, targetsOf } from './scope.ts';
import type { PromotionSnapshot } from './snapshot.ts';

/**
 * `untouched`: no operation was begun. `deploying`, `restoring`: one is under way. `deployed`, `restored`: it has ended
 * well. `verified`: the target itself reported the promised digest and is healthy. `failed`: the answer was no, so that it
 * may run either. `unclear`: nobody could tell.
 */
export const TARGET_STATES = [
  'untouched',
  'deploying',
  'deployed',
  'verified',
  'failed',
  'unclear',
  'restoring',
  'restored',
] as const;
export type TargetState = (typeof TARGET_STATES)[number];

export interface TargetStanding {
  readonly target: string;
  /** Of several all, as `componentWords` has them. */
  readonly component: string;
  readonly batch: number;
  readonly state: TargetState;
  /**
   * `new`: the release that is promoted. `old`: its base. `unknown`: either of them, or something else; also where nothing
   * was begun, when the environment was not whole before.
   */
  readonly runs: 'new' | 'old' | 'unknown';
}

type Facts = Pick<PromotionSnapshot, 'promotion' | 'release' | 'base' | 'formerBase' | 'environment' | 'attempts'>;

/** In the order of the definition; targets that the release has nothing for are left out. */
export function targetStandings(facts: Facts): readonly TargetStanding[] {
  const targets = targetsOf(facts.promotion, facts.release);
  const names = targets.map((target) => target.name);
  const batches = batchesOf(facts.promotion.definition, names);
  const last = lastByTarget(facts.attempts);
  const base = boundBaseOf(facts);
  const isKnown = wasKnown(facts);
  return targets.map((target) => {
    const { name } = target;
    const of = (purpose: AttemptPurpose): Attempt | null => last.get(`${purpose} ${name}`) ?? null;
    const digestOf = (release: Facts['base']): string | undefined => promisedDigestOf(target, release) ?? undefined;
    const before = digestOf(base);
    // A base without that component tells nothing of its targets.
    const untouched = isKnown && (base === null || before !== undefined) ? 'old' : 'unknown';
    const standing = standingOf(of, { promised: digestOf(facts.release), before, untouched });
    return { target: name, component: componentWords(target), batch: batchNumberOf(batches, name), ...standing };
  });
}

/** Every target ran the base, or nothing of ours, when the deploy began: that was seen when it was verified there. */
function wasKnown({ promotion, environment, release }: Facts): boolean {
  const state = promotion.baseState ?? stateOfScope(environment, release);
  return state === 'whole' || state === 'empty';
}

function batchNumberOf(batches: readonly Batch[], name: string): number {
  return batches.find((batch) => batch.targets.includes(name))?.number ?? 1;
}

function lastByTarget(attempts: readonly Attempt[]): ReadonlyMap<string, Attempt> {
  // In order of their numbers, so that the last one stays.
  return new Map(attempts.map((attempt) => [`${attempt.purpose} ${attempt.subject}`, attempt]));
}

interface Knowledge {
  readonly promised: string | undefined;
  readonly before: string | undefined;
  /** What is known of a target that nothing was begun at. */
  readonly untouched: 'old' | 'unknown';
}

function standingOf(
  of: (purpose: AttemptPurpose) => Attempt | null,
  { promised, before, untouched }: Knowledge,
): Pick<TargetStanding, 'state' | 'runs'> {
  const deploy = of('deploy');
  if (!deploy) return { state: 'untouched', runs: untouched };
  const back = of('rollback');
  if (back) return restoredAs(back, of('rollback_verify'), before);
  if (deploy.result === null) return { state: 'deploying', runs: 'unknown' };
  if (deploy.result.outcome !== 'succeeded') return { state: stateOf(deploy.result), runs: 'unknown' };
  const look = of('verify')?.result ?? of('batch_verify')?.result ?? null;
  if (look === null) return { state: 'deployed', runs: 'new' };
  if (look.outcome === 'succeeded' && look.digest === promised) return { state: 'verified', runs: 'new' };
  return { state: stateOf(look), runs: look.digest === promised ? 'new' : 'unknown' };
}

function restoredAs(
  back: Attempt,
  look: Attempt | null,
  before: string | undefined,
): Pick<TargetStanding, 'state' | 'runs'> {
  if (back.result === null) return { state: 'restoring', runs: 'unknown' };
  if (back.result.outcome !== 'succeeded') return { state: stateOf(back.result), runs: 'unknown' };
  if (!look?.result) return { state: 'restored', runs: 'old' };
  const isSeen = look.result.outcome === 'succeeded' && look.result.digest === before;
  return isSeen ? { state: 'restored', runs: 'old' } : { state: stateOf(look.result), runs: 'unknown' };
}

function stateOf({ outcome }: AttemptResult): 'failed' | 'unclear' {
  return outcome === 'error' || outcome === 'timeout' ? 'unclear' : 'failed';
}

/** Names that a sentence holds; the others are counted. */
const NAMES_MAX = 5;

/**
 * Which target runs what, as the end of a sentence: `; web-1, web-2 run shop-2.0; what web-3 runs is not known; web-4 runs shop-1.0`.
 * Empty while no target was touched, and when there is only one.
 */
export function describeStandings(facts: Facts): string {
  const standings = targetStandings(facts);
  const isTouched = standings.some((one) => one.state !== 'untouched');
  if (standings.length < 2 || !isTouched) return '';
  const named = (runs: TargetStanding['runs']): readonly string[] =>
    standings.filter((one) => one.runs === runs).map((one) => one.target);
  const before = boundBaseOf(facts)?.name ?? 'nothing of ours';
  const parts = [
    groupWords(named('new'), facts.release.name),
    unknownWords(named('unknown')),
    groupWords(named('old'), before),
  ];
  return parts
    .filter((words) => words !== '')
    .map((words) => `; ${words}`)
    .join('');
}

function groupWords(names: readonly string[], what: string): string {
  if (names.length === 0) return '';
  return `${listed(names)} ${names.length === 1 ? 'runs' : 'run'} ${what}`;
}

function unknownWords(names: readonly string[]): string {
  return names.length === 0 ? '' : `what ${listed(names)} ${names.length === 1 ? 'runs' : 'run'} is not known`;
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_MAX;
  return more > 0 ? `${names.slice(0, NAMES_MAX).join(', ')} and ${more} more` : names.join(', ');
}
