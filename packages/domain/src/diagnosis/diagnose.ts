/**
 * Why a promotion does not go on (pure, deterministic): the same snapshot gives the same bytes. Families of causes look at
 * it, and at those that it waits for; the root of a chain is told before what it leads to. Nothing is named without a fact.
 */
import type { PromotionId } from '../values/ids.ts';
import { formatDuration } from '../values/duration.ts';
import { toRfc3339 } from '../values/instant.ts';
import {
  type CaseView,
  commandRemedy,
  type FindCauses,
  makeCaseView,
  makeCause,
  makeFact,
  wholeSeconds,
} from './case-view.ts';
import { findCanaryCauses } from './canary-causes.ts';
import { type CauseCode, causeRank, CAUSES } from './causes.ts';
import { commandLine } from './command-line.ts';
import { findContention, findDatabaseStops, findDatabaseStrain } from './database-causes.ts';
import type { Cause, Diagnosis, Fact, Verdict } from './diagnosis.ts';
import type { DiagnosisSnapshot, LinkedPromotion } from './diagnosis-snapshot.ts';
import { findClockSkew, findPoison, findStop, findTimeBudget, refusesCallbacks } from './engine-causes.ts';
import { findGateCauses } from './gate-causes.ts';
import { findLinkCauses } from './link-causes.ts';
import { findTargetCauses } from './target-causes.ts';
import { timeBudgetOf } from './time-budget.ts';
import { findWaitCauses } from './wait-causes.ts';
import { findVersionSkew, findWorkerCauses, hasLiveWorker } from './worker-causes.ts';

const FAMILIES: readonly FindCauses[] = [
  findDatabaseStops,
  findWorkerCauses,
  findContention,
  findPoison,
  findStop,
  findTargetCauses,
  findCanaryCauses,
  findGateCauses,
  findLinkCauses,
  findTimeBudget,
  findWaitCauses,
];

/** Looked at only beside a trouble: they slow things down, and are no reason to wake anybody while all goes well. */
const CIRCUMSTANCES: readonly FindCauses[] = [findVersionSkew, findDatabaseStrain, findClockSkew];

/** Due for so long without a look is a trouble; the longest that a takeover may last (safety L2). */
const LATE_MS_MAX = 20_000;
/** A chain that is longer tells nothing more. */
const CHAIN_LENGTH_MAX = 4;

/** Endings that say what was wrong outside, so that it can be mended before the next try. */
const EXPLAINED_ENDINGS: ReadonlySet<string> = new Set([
  'precheck.failed',
  'preflight.failed',
  'deploy.failed',
  'deploy.deadline',
  'canary.failed',
  'canary.unanswered',
  'verify.failed',
  'rollback.failed',
  'gate.hold_ended',
]);

export function diagnose(snapshot: DiagnosisSnapshot): Diagnosis {
  const view = makeCaseView(snapshot, snapshot.subject);
  const own = view.isEnded ? endedCauses(view) : liveCauses(view);
  const roots = view.isEnded ? [] : chainCauses(view);
  const known = [...roots, ...own];
  const isTroubled = known.some(isFault) || view.isStalled || view.lateMs >= LATE_MS_MAX;
  const around = isTroubled && !view.isEnded ? sorted(CIRCUMSTANCES.flatMap((find) => find(view))) : [];
  const isUnexplained = isTroubled && known.length === 0 && around.length === 0;
  const unknown = isUnexplained && !view.isEnded ? [unknownCause(view)] : [];
  const beneath = around.filter((cause) => isBeneath(view, cause, known));
  const beside = around.filter((cause) => !beneath.includes(cause));
  const causes = [...beneath, ...orderedCauses(view, roots, [...own, ...beside, ...unknown])];
  const verdict = verdictOf(view, causes);
  return {
    promotionId: view.snapshot.promotion.id,
    environment: view.snapshot.promotion.environment,
    nowMs: view.nowMs,
    verdict,
    summary: summaryOf(view, verdict, causes),
    waitsUntilMs: verdict === 'waiting' ? waitsUntil(causes) : null,
    causes,
    ruledOut: isUnexplained ? ruledOut(view) : [],
    timeBudget: timeBudgetOf(view.snapshot, view.nowMs),
  };
}

function isFault(cause: Cause): boolean {
  return CAUSES[cause.code].nature === 'fault';
}

function liveCauses(view: CaseView): Cause[] {
  return sorted(FAMILIES.flatMap((find) => find(view)));
}

function endedCauses(view: CaseView): Cause[] {
  const code = view.snapshot.promotion.ending?.code ?? '';
  return EXPLAINED_ENDINGS.has(code)
    ? sorted([...findTargetCauses(view), ...findCanaryCauses(view), ...findGateCauses(view)])
    : [];
}

/** Faults of those that it waits for, the last of the chain first; each is looked at once, so that a circle ends. */
function chainCauses(view: CaseView): Cause[] {
  const seen = new Set<PromotionId>([view.snapshot.promotion.id]);
  const follow = (link: LinkedPromotion, depth: number): Cause[] => {
    if (depth >= CHAIN_LENGTH_MAX) return [];
    return link.blockedBy.flatMap(({ promotionId }) => {
      const other = view.whole.others.find((one) => one.snapshot.promotion.id === promotionId);
      if (!other || seen.has(promotionId)) return [];
      seen.add(promotionId);
      const deeper = follow(other, depth + 1);
      // What stops everything is told once, as its own.
      const faults = liveCauses(makeCaseView(view.whole, other)).filter((cause) => isFault(cause) && !isGlobal(cause));
      return [...deeper, ...faults];
    });
  };
  return follow(view.link, 0);
}

function isGlobal({ code }: Cause): boolean {
  return code === 'database.read_only' || code === 'database.disk_full' || code === 'database.contention';
}

/** By weight: what is wrong before what is only waited for, what is certain before what is likely, then by the table. */
function sorted(causes: readonly Cause[]): Cause[] {
  const weight = (cause: Cause): number => (isFault(cause) ? 0 : 2) + (cause.confidence === 'certain' ? 0 : 1);
  return [...causes].sort((a, b) => weight(a) - weight(b) || causeRank(a.code) - causeRank(b.code));
}

/** What is told only beside a trouble, and is why there is one: mending what it leads to would help nobody. */
function isBeneath(view: CaseView, { code }: Cause, known: readonly Cause[]): boolean {
  const isKnown = (...codes: readonly CauseCode[]): boolean => known.some((one) => codes.includes(one.code));
  // An orchestrator that is started gets no connection.
  if (code === 'database.connections') return isKnown('worker.none', 'worker.dead') && !hasLiveWorker(view);
  if (code === 'clock.skew') return isKnown('gate.no_callback') && refusesCallbacks(view);
  return false;
}

/** What stops everything, then the roots, then its own, of which the lock is the last link of the chain. */
function orderedCauses(view: CaseView, roots: readonly Cause[], own: readonly Cause[]): Cause[] {
  const all = sorted(own);
  if (roots.length === 0) return all;
  const first = all.filter((cause) => isGlobal(cause) || cause.code === 'worker.none');
  // The holder's own death is why its lock is stale; the cure is that of the lock.
  const stale = all.filter((cause) => cause.code === 'lock.stale');
  const rest = all.filter((cause) => !first.includes(cause) && !stale.includes(cause));
  // Without a worker nobody would seal its targets, and nobody would take the lock.
  return hasLiveWorker(view) ? [...first, ...stale, ...roots, ...rest] : [...first, ...roots, ...stale, ...rest];
}

function verdictOf({ isEnded, isStalled, snapshot }: CaseView, causes: readonly Cause[]): Verdict {
  if (isEnded) return 'ended';
  const hasOwnFault = causes.some((cause) => isFault(cause) && cause.promotionId === snapshot.promotion.id);
  if (hasOwnFault || isStalled) return 'stalled';
  return causes.length > 0 ? 'waiting' : 'healthy';
}

/** The latest of what it waits for: every wait at the gates has to end; a lock's is the only one of its step. */
function waitsUntil(causes: readonly Cause[]): number | null {
  const ends = causes.flatMap((cause) => cause.remedies[0]?.untilMs ?? []);
  return ends.length === 0 ? null : Math.max(...ends);
}

/** Beside the verdict, in few words. */
function summaryOf(view: CaseView, verdict: Verdict, causes: readonly Cause[]): string {
  const { promotion } = view.snapshot;
  const since = formatDuration(wholeSeconds(timeBudgetOf(view.snapshot, view.nowMs).sinceProgressMs));
  const [first] = causes;
  const why = first ? `${first.title} (${first.code})` : '';
  if (verdict === 'ended') return `${promotion.status}${first ? `: ${why}` : ''}`;
  if (verdict === 'healthy') return `${promotion.status} in ${promotion.step}, last progress ${since} ago`;
  const untilMs = waitsUntil(causes);
  const until = untilMs === null ? '' : `, until ${toRfc3339(untilMs)} at the latest`;
  return verdict === 'waiting' ? `${why}${until}` : why;
}

/** Nothing explains it: what is known to be well, and where to look. */
function unknownCause(view: CaseView): Cause {
  const { promotion } = view.snapshot;
  return makeCause(view, 'unknown', {
    confidence: 'likely',
    facts: [
      makeFact(
        'promotion',
        promotion.step,
        `no progress since then, status ${promotion.status}`,
        promotion.lastProgressAtMs,
      ),
      ...ruledOut(view),
    ],
    remedies: [
      commandRemedy({
        text: 'let another worker take it over',
        command: commandLine('service', 'restart', 'orchestrator'),
        effect: 'what is under way is taken over under a newer fence; nothing is lost',
        harm: 'low',
        needs: null,
      }),
      commandRemedy({
        text: 'read what happened to it, and report it',
        command: commandLine('promotion', 'trace', promotion.id, '--verbose'),
        effect: 'changes nothing',
        needs: 'viewer',
      }),
    ],
  });
}

function ruledOut(view: CaseView): Fact[] {
  const { workers, database, server } = view.whole;
  const { nowMs, snapshot } = view;
  const live = workers.filter((worker) => worker.state === 'live' && worker.leaseUntilMs > nowMs);
  const openCount = snapshot.attempts.filter((attempt) => attempt.result === null).length;
  return [
    makeFact(
      'workers',
      'workers ruled out',
      `${live.length} live, last look ${formatDuration(wholeSeconds(view.lateMs))} overdue`,
      nowMs,
    ),
    makeFact(
      'database',
      'database ruled out',
      `takes writes, reads in ${formatDuration(wholeSeconds(database.readMs))}, ${database.connectionCount} of ${database.connectionCountMax} connections, no session in the way`,
      nowMs,
    ),
    makeFact(
      'attempts',
      'gates, targets and registry ruled out',
      `${openCount} attempts are open, none has failed`,
      nowMs,
    ),
    makeFact(
      'locks',
      'locks ruled out',
      view.link.blockedBy.length === 0
        ? 'nobody is in its way'
        : `${view.link.blockedBy.length} are before it, at work`,
      nowMs,
    ),
    makeFact('server', 'clocks ruled out', `differ by ${formatDuration(Math.abs(server.clockAheadMs))}`, nowMs),
  ];
}
