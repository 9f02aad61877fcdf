/** The answer of an operation as a target has kept it, whoever may have changed it there since. */
import { isDigest } from '@stella/domain';
import type { OperationAnswer } from '../ports/target.ts';

/** Null for what is no answer. */
export function parseRecordedAnswer(value: unknown): OperationAnswer | null {
  // Parsed field by field below.
  const { outcome, digest, code, message, held } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof message !== 'string') return null;
  if (outcome === 'succeeded' && isDigest(digest)) return { outcome, digest, message };
  if ((outcome === 'failed' || outcome === 'errored') && typeof code === 'string') return { outcome, code, message };
  if (outcome === 'refused') {
    // Parsed field by field below.
    const { epoch, n } = (held ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof epoch === 'number' && typeof n === 'number') return { outcome, held: { epoch, n }, message };
  }
  return null;
}
