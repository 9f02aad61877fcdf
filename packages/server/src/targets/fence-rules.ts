/**
 * The fence rules of a target as pure decisions (domain, "Fences at targets"; safety S4). A target kind keeps the stored
 * pair and the lock; what a pair means is decided here, once for all kinds.
 */
import { isPlanted, compareFences, type Fence } from '@stella/domain';
import type { AcceptedOperation } from '../ports/target.ts';

export type OperationDecision =
  /** The pair is stored from now on, and the operation may be carried out. */
  | { readonly kind: 'accepted' }
  /** The pair is stored already: this is a repeat, answered with what was recorded. */
  | { readonly kind: 'known' }
  | { readonly kind: 'refused'; readonly held: Fence };

export function decideOperation(
  stored: AcceptedOperation | null,
  fence: Fence,
  operationId: string,
): OperationDecision {
  const order = stored ? compareFences(fence, stored.fence) : 1;
  if (!stored || order > 0 || isPlanted('target.no_fence_check')) return { kind: 'accepted' };
  if (order < 0) return { kind: 'refused', held: stored.fence };
  if (stored.operationId === null) return { kind: 'accepted' };
  if (stored.operationId === operationId && isPlanted('target.applies_twice')) return { kind: 'accepted' };
  return stored.operationId === operationId ? { kind: 'known' } : { kind: 'refused', held: stored.fence };
}

export type SealDecision =
  | { readonly kind: 'stored' }
  /** The same seal is stored already. */
  | { readonly kind: 'known' }
  | { readonly kind: 'refused'; readonly held: Fence };

export function decideSeal(stored: AcceptedOperation | null, fence: Fence): SealDecision {
  const order = stored ? compareFences(fence, stored.fence) : 1;
  if (isPlanted('target.seal_not_kept')) return { kind: 'known' };
  if (!stored || order > 0) return { kind: 'stored' };
  if (order < 0) return { kind: 'refused', held: stored.fence };
  return stored.operationId === null ? { kind: 'known' } : { kind: 'stored' };
}
