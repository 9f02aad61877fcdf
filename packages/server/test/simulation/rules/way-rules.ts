/**
 * What may enter an environment beside the pipeline, said again from what has completed there: a rollback brings only what
 * completed there before, over the base that whoever asked for it saw (S11); an unforced deploy only artifacts that
 * completed in every predecessor (S11). What is put back after a failure is what was verified there last (S10).
 */
import {
  baseIdOf,
  type ComponentStatus,
  composeBase,
  isTerminal,
  type Promotion,
  type PromotionId,
  type PromotionSnapshot,
  type Release,
  type ReleaseId,
  releaseIdsOf,
} from '@stella/domain';
import { insist, type MemoryState, type WriteRecord } from '@stella/testkit';

export interface WayRules {
  check(record: WriteRecord): void;
  /** What the environment ran when the promotion began to deploy, as one release. */
  wentFrom(promotion: Promotion): Release | null;
}

export function makeWayRules(state: MemoryState): WayRules {
  const bases = new Map<PromotionId, ReleaseId | null>();
  const asked = new Map<PromotionId, ReleaseId | null>();
  return {
    wentFrom({ id }) {
      const baseId = bases.get(id) ?? null;
      if (baseId === null) return null;
      const known = releaseIdsOf(baseId).flatMap((one) => state.releases.get(one) ?? []);
      return composeBase(baseId, known);
    },
    check(record) {
      const { before, decision } = record;
      const { promotion } = decision;
      if (record.kind === 'created') asked.set(promotion.id, promotion.baseReleaseId);
      if (before && decision.takenLocks.length > 0) {
        bases.set(promotion.id, baseIdOf(before.environment, before.release));
      }
      if (!before) return;
      const isSending = decision.newAttempts.some((one) => one.purpose === 'deploy');
      if (isSending) checkWay(state, { promotion, before, askedOver: asked.get(promotion.id) ?? null });
      if (promotion.status === 'completed' && !isTerminal(before.promotion.status)) checkRuns(record, before);
    },
  };
}

/** Who completes leaves what he brought, whatever kind of promotion he is. */
function checkRuns({ decision }: WriteRecord, { environment, release }: PromotionSnapshot): void {
  const { id } = decision.promotion;
  const now = decision.environment ?? environment;
  const isThere = (row: ComponentStatus): boolean => row.releaseId === release.id && row.state === 'whole';
  const isWhole = release.components.every(({ name }) =>
    now.components.some((one) => one.component === name && isThere(one)),
  );
  insist('S10', isWhole, () => `${id} has completed, and ${now.name} does not run its release`);
}

interface WayOfOne {
  readonly promotion: Promotion;
  readonly before: PromotionSnapshot;
  /** What ran there when it was asked for. */
  readonly askedOver: ReleaseId | null;
}

function checkWay(state: MemoryState, { promotion, before, askedOver }: WayOfOne): void {
  const { release } = before;
  const { id, kind, environment, isForced, definition } = promotion;
  if (kind === 'rollback') {
    const wasThere = hasCompleted(state, environment, (one) => one.releaseId === release.id && one.id !== id);
    insist('S11', wasThere, () => `${id} goes back to ${release.name}, which never completed in ${environment}`);
    const runs = baseIdOf(before.environment, release);
    insist('S11', runs === askedOver, () => `${id} takes away ${runs}, and was asked for over ${askedOver}`);
  }
  if (kind !== 'deploy' || isForced) return;
  for (const { name, digest } of release.components) {
    const lacking = definition.promotesFrom.filter(
      (place) => !hasCompleted(state, place, (one) => carries(state, one.releaseId, { name, digest })),
    );
    insist('S11', lacking.length === 0, () => `${id} deploys ${name}, which never completed in ${lacking.join(', ')}`);
  }
}

function hasCompleted(state: MemoryState, environment: string, isMeant: (one: Promotion) => boolean): boolean {
  for (const { promotion } of state.promotions.values()) {
    if (promotion.environment === environment && promotion.status === 'completed' && isMeant(promotion)) return true;
  }
  return false;
}

function carries(
  { releases }: MemoryState,
  id: ReleaseId,
  wanted: { readonly name: string; readonly digest: string },
): boolean {
  return releases.get(id)?.components.some((one) => one.name === wanted.name && one.digest === wanted.digest) ?? false;
}
