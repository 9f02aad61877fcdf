/** What keeps a promotion from its turn: the holder of the lock, stale or at work, and those who go before it. */
import type { PromotionId } from '../values/ids.ts';
import { formatDuration } from '../values/duration.ts';
import { toRfc3339 } from '../values/instant.ts';
import {
  type CaseView,
  commandRemedy,
  type FindCauses,
  makeCause,
  makeFact,
  waitRemedy,
  wholeSeconds,
} from './case-view.ts';
import { commandLine } from './command-line.ts';
import type { Cause, Fact } from './diagnosis.ts';
import type { Blocker, LinkedPromotion } from './diagnosis-snapshot.ts';

export const findLinkCauses: FindCauses = (view) => {
  if (view.isEnded || view.snapshot.promotion.step !== 'acquire_locks' || view.snapshot.environment.stop !== null)
    return [];
  const { blockedBy } = view.link;
  const holders = blockedBy.filter((one) => one.lock !== null);
  const stale = holders.filter((one) => one.isStale);
  if (stale.length > 0) return stale.map((one) => staleLock(view, one));
  const [holder] = holders;
  if (holder) return [heldLock(view, holder)];
  return blockedBy.length > 0 ? [behind(view, blockedBy)] : [];
};

function staleLock(view: CaseView, blocker: Blocker): Cause {
  const other = linkOf(view, blocker);
  const facts = [lockFact(view, blocker), ...holderFacts(view, blocker, other)];
  return makeCause(view, 'lock.stale', {
    confidence: 'certain',
    facts,
    remedies: [
      commandRemedy({
        text: `take the lock from ${blocker.promotionId}, for which nobody works`,
        command: commandLine('orch', 'locks', 'release', blocker.lock?.id ?? '', '--force'),
        effect: 'its targets are sealed, so that nothing of it can still deploy; it fails with lock.revoked',
        harm: 'low',
        needs: 'operator',
      }),
    ],
  });
}

function heldLock(view: CaseView, blocker: Blocker): Cause {
  const other = linkOf(view, blocker);
  const untilMs = other?.snapshot.promotion.deployDeadlineAtMs ?? turnEndsAtMs(view);
  return makeCause(view, 'lock.held', {
    confidence: 'certain',
    facts: [lockFact(view, blocker), ...holderFacts(view, blocker, other), ...circleFacts(view)],
    remedies: [
      waitRemedy({
        text: `${blocker.promotionId} gives the lock back when it ends; sooner when it is cancelled`,
        command: commandLine('promotion', 'cancel', blocker.promotionId),
        effect: 'from its deploy on, onFailure applies to what it has changed',
        harm: 'low',
        needs: 'releaser',
        untilMs,
      }),
    ],
  });
}

function behind(view: CaseView, blockers: readonly Blocker[]): Cause {
  const { promotion } = view.snapshot;
  const facts = blockers.slice(0, 5).map((blocker) => {
    const other = linkOf(view, blocker)?.snapshot.promotion;
    const words = other ? `is ${other.status} in ${other.step}, ` : '';
    return makeFact('queue', blocker.promotionId, `goes before it: ${words}priority ${blocker.priority}`, view.nowMs);
  });
  const [first] = blockers;
  return makeCause(view, 'queue.behind', {
    confidence: 'certain',
    facts: [...facts, ...circleFacts(view)],
    remedies: [
      waitRemedy({
        text: `${blockers.length} promotions to ${promotion.environment} go before it; sooner when one of them is cancelled`,
        command: commandLine('promotion', 'cancel', first?.promotionId ?? ''),
        effect: 'the next in the queue gets the lock',
        harm: 'low',
        needs: 'releaser',
        untilMs: turnEndsAtMs(view),
      }),
    ],
  });
}

/** Its chain leads back to itself: nobody in it can be the first to go on. */
function circleFacts(view: CaseView): Fact[] {
  const own = view.snapshot.promotion.id;
  const path: PromotionId[] = [own];
  let next = view.link.blockedBy[0]?.promotionId;
  while (next !== undefined && next !== own && !path.includes(next)) {
    path.push(next);
    const at: PromotionId = next;
    next = view.whole.others.find((one) => one.snapshot.promotion.id === at)?.blockedBy[0]?.promotionId;
  }
  return next === own && path.length > 1
    ? [makeFact('queue', 'circle', `each waits for the next: ${[...path, own].join(', ')}`, view.nowMs)]
    : [];
}

/** When it fails for want of a lock. */
function turnEndsAtMs({ snapshot, nowMs }: CaseView): number {
  const startedAtMs = snapshot.steps.find((run) => run.step === 'acquire_locks')?.startedAtMs ?? nowMs;
  return startedAtMs + snapshot.settings['queue.maxWait'];
}

function linkOf({ whole }: CaseView, { promotionId }: Blocker): LinkedPromotion | null {
  return whole.others.find((one) => one.snapshot.promotion.id === promotionId) ?? null;
}

function lockFact({ nowMs }: CaseView, { lock, promotionId }: Blocker): Fact {
  const atMs = lock?.acquiredAtMs ?? nowMs;
  const age = formatDuration(wholeSeconds(Math.max(0, nowMs - atMs)));
  return makeFact(
    'locks',
    `lock ${lock?.id ?? ''}`,
    `${lock?.resource ?? ''} is held by ${promotionId} for ${age}`,
    atMs,
  );
}

function holderFacts(view: CaseView, { promotionId, isStale }: Blocker, other: LinkedPromotion | null): Fact[] {
  const promotion = other?.snapshot.promotion;
  if (!promotion) return [];
  const worker = view.whole.workers.find((one) => one.id === promotion.workerId);
  const heartbeat = worker ? `, worker ${worker.id} last heard of at ${toRfc3339(worker.heartbeatAtMs)}` : '';
  const stale = isStale ? `, nobody works for it${promotion.workerId === null ? '' : heartbeat}` : heartbeat;
  return [
    makeFact(
      'promotion',
      `holder ${promotionId}`,
      `${promotion.status} in ${promotion.step}${stale}`,
      promotion.lastProgressAtMs,
    ),
  ];
}
