/** Which target runs what by now, for the message of a promotion that ends half-way. */
import { describeStandings } from '../target-standings.ts';
import type { Draft } from './draft.ts';

export function whatRuns({ promotion, attempts, environment, snapshot: { release, base, formerBase } }: Draft): string {
  return describeStandings({ promotion, attempts, environment, release, base, formerBase });
}
