/** A promotion by id or unique start of one, when the caller may see its environment. */
import { authorize, type Principal, type PromotionSnapshot } from '@stella/domain';
import type { ReadStore } from '../ports/read-store.ts';

/** Errors: `promotion.not_found`, `input.id_ambiguous`, `auth.forbidden`. */
export async function readVisiblePromotion(
  reads: ReadStore,
  caller: Principal,
  text: string,
): Promise<{ readonly snapshot: PromotionSnapshot; readonly nowMs: number }> {
  const id = await reads.findPromotionId(text);
  const read = await reads.readPromotion(id);
  const { environment } = read.snapshot.promotion;
  authorize(caller, 'promotion.read', { environment, name: `promotion ${id}` });
  return read;
}
