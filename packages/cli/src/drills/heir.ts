/** Which promotion takes the place of one that ended: only that may complete in its stead. */
import type { Answer, Client } from '@stella/contract/client';
import type { Drill } from './drill.ts';

interface Ended {
  readonly promotion: string;
  readonly environment: string;
  readonly drill: Pick<Drill, 'curedByRelease'>;
}

/** The newest of those that take the place of an ended one. */
export async function heirOf(
  client: Client,
  { promotion, environment, drill }: Ended,
): Promise<Answer<'getPromotion'> | null> {
  const { items } = await client.call('listPromotions', { query: { environment } });
  for (const { id } of items) {
    const one = await client.call('getPromotion', { parameters: { promotion: id } });
    const isInstead =
      drill.curedByRelease !== undefined && one.release.name === `${environment}-${drill.curedByRelease}`;
    if (isInstead || one.retryOf === promotion) return one;
  }
  return null;
}
