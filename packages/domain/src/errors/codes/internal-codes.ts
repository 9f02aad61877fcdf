/** Error codes: our own faults. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const INTERNAL_CODES = {
  'worker.claim_lost': entry(
    'Conflict',
    'the claim on {promotionId} was lost to a newer one',
    'nothing to do; the newer worker goes on',
  ),
  internal: entry('InvariantViolated', 'an error that should not happen: {message}', 'report it with the request id'),
} as const satisfies Record<string, ErrorEntry>;
