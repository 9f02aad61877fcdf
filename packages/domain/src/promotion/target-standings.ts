/**
 * What each target of a promotion runs, as far as its attempts tell: what people are told when a deploy stops half-way.
 */
import { type Batch, batchesOf } from '../environment/deploy-strategy.ts';
import type { Attempt, AttemptPurpose } from './promotion.ts';
import { targetsOf } from './scope.ts';
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
  readonly component: string;
  readonly batch: number;
  readonly state: TargetState;
  /** `new`: the release that is promoted. `old`: what ran there before. `unknown`: either of them, or a mixture. */
  readonly runs: 'new' | 'old' | 'unknown';
}

type Facts = Pick<PromotionSnapshot, 'promotion' | 'release' | 'base' | 'attempts'>;

/** In the order of the definition; targets that the release has nothing for are left out. */
export function targetStandings(facts: Facts): readonly TargetStanding[] {
  const targets = targetsOf(facts.promotion, facts.release);
  const names = targets.map((target) => target.name);
  const batches = batchesOf(facts.promotion.definition, names);
  const last = lastByTarget(facts.attempts);
  return targets.map(({ name, component }) => {
    const of = (purpose: AttemptPurpose): Attempt | null => last.get(`${purpose} ${name}`) ?? null;
    const digestOf = (release: Facts['base']): string | undefined =>
      release?.components.find((one) => one.name === component)?.digest;
    const standing = standingOf(of, { promised: digestOf(facts.release), before: digestOf(facts.base) });
    return { target: name, component, batch: batchNumberOf(batches, name), ...standing };
  });
}

function batchNumberOf(batches: readonly Batch[], name: string): number {
  return batches.find((batch) => batch.targets.includes(name))?.number ?? 1;
}

function lastByTarget(attempts: readonly Attempt[]): ReadonlyMap<string, Attempt> {
  // In order of their numbers, so that the last one stays.
  return new Map(attempts.map((attempt) => [`${attempt.purpose} ${attempt.subject}`, attempt]));
}

interface Digests {
  readonly promised: string | undefined;
  readonly before: string | undefined;
}

function standingOf(
  of: (purpose: AttemptPurpose) => Attempt | null,
  { promised, before }: Digests,
): Pick<TargetStanding, 'state' | 'runs'> {
  const deploy = of('deploy');
  if (!deploy) return { state: 'untouched', runs: 'old' };
  const back = of('rollback');
  if (back) return restoredAs(back, of('rollback_verify'), before);
  if (deploy.result === null) return { state: 'deploying', runs: 'unknown' };
  // It was refused before it could change anything.
  if (deploy.result.outcome === 'refused') return { state: 'failed', runs: 'old' };
  if (deploy.result.outcome !== 'succeeded') return { state: stateOf(deploy), runs: 'unknown' };
  const look = of('verify')?.result ?? of('batch_verify')?.result ?? null;
  if (look === null) return { state: 'deployed', runs: 'new' };
  if (look.outcome === 'succeeded' && look.digest === promised) return { state: 'verified', runs: 'new' };
  return { state: 'failed', runs: look.digest === promised ? 'new' : 'unknown' };
}

function restoredAs(
  back: Attempt,
  look: Attempt | null,
  before: string | undefined,
): Pick<TargetStanding, 'state' | 'runs'> {
  if (back.result === null) return { state: 'restoring', runs: 'unknown' };
  if (back.result.outcome !== 'succeeded') return { state: stateOf(back), runs: 'unknown' };
  if (!look?.result) return { state: 'restored', runs: 'old' };
  const isSeen = look.result.outcome === 'succeeded' && look.result.digest === before;
  return isSeen ? { state: 'restored', runs: 'old' } : { state: 'failed', runs: 'unknown' };
}

function stateOf({ result }: Attempt): 'failed' | 'unclear' {
  return result?.outcome === 'error' || result?.outcome === 'timeout' ? 'unclear' : 'failed';
}

/** Names that a sentence holds; the others are counted. */
const NAMES_MAX = 5;

/**
 * Which target runs what, as the end of a sentence: `; web-1, web-2 run shop-2.0; not known of web-3; web-4 runs shop-1.0`.
 * Empty while no target was touched, and when there is only one.
 */
export function describeStandings(facts: Facts): string {
  const standings = targetStandings(facts);
  const isTouched = standings.some((one) => one.state !== 'untouched');
  if (standings.length < 2 || !isTouched) return '';
  const named = (runs: TargetStanding['runs']): readonly string[] =>
    standings.filter((one) => one.runs === runs).map((one) => one.target);
  const before = facts.base === null ? 'nothing of ours' : facts.base.name;
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
