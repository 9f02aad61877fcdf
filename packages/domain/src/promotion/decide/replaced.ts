/**
 * `queue: latest`: a promotion that has not begun to deploy makes way for a newer one. Each looks for itself, in its own
 * transaction: nobody writes to the row of another promotion.
 */
import { isPlanted } from '../../planted-bugs.ts';
import type { Promotion } from '../promotion.ts';
import type { Release } from '../../release/release.ts';
import { priorityRank } from '../status.ts';
import { isPastDeploy } from './cancel.ts';
import { type Draft, endPromotion } from './draft.ts';

type Rival = Pick<Promotion, 'id' | 'environment' | 'kind' | 'createdAtMs' | 'priority'>;

/**
 * True when `newer`, as long as it lives, takes the place of `older`: made later, of a newer release that has all of the
 * older one's components, and of no lower priority. Rollbacks neither take a place nor lose theirs. The store asks the same
 * in SQL.
 */
export function doesReplace(
  newer: { readonly promotion: Rival; readonly release: Release },
  older: { readonly promotion: Rival; readonly release: Release },
): boolean {
  const names = new Set(newer.release.components.map((component) => component.name));
  return (
    newer.promotion.environment === older.promotion.environment &&
    newer.promotion.kind !== 'rollback' &&
    older.promotion.kind !== 'rollback' &&
    isMadeLater(newer.promotion, older.promotion) &&
    newer.release.number > older.release.number &&
    priorityRank(newer.promotion.priority) <= priorityRank(older.promotion.priority) &&
    older.release.components.every((component) => names.has(component.name))
  );
}

function isMadeLater(a: Rival, b: Rival): boolean {
  return a.createdAtMs > b.createdAtMs || (a.createdAtMs === b.createdAtMs && a.id > b.id);
}

export function decideReplaced(draft: Draft): void {
  const { replacement } = draft.snapshot;
  if (isPlanted('queue.latest_ignored')) return;
  if (draft.promotion.definition.queue !== 'latest' || !replacement || isPastDeploy(draft) || draft.needsGuard) return;
  const message = `${replacement.promotionId} with ${replacement.releaseName} took its place`;
  endPromotion(draft, 'superseded', { code: 'promotion.replaced', message }, 'skipped');
}
