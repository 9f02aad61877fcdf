/** Which target runs what by now, for the message of a promotion that ends half-way. */
import { describeStandings } from '../target-standings.ts';
import type { Draft } from './draft.ts';

export function whatRuns({ promotion, attempts, snapshot: { release, base } }: Draft): string {
  return describeStandings({ promotion, attempts, release, base });
}
