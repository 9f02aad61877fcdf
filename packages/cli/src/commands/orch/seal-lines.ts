/** What `locks release` and `fence raise` say of targets that were sealed, and how long they wait for that. */
import type { Answer } from '@stella/contract/client';
import { formatDuration } from '@stella/domain/client';

/** A server asks its targets for no longer than two minutes, however many they are; and then there is the rest of the request. */
export const SEAL_PATIENCE_MS = 150_000;

/** Targets that are named when they took no seal; the others are counted. */
const NAMED_MAX = 10;

type Sealed = Pick<Answer<'releaseLock'>, 'seals' | 'sealedWithinMs'>;

/** `width` of the column of names. */
export function sealLines({ seals, sealedWithinMs }: Sealed, width: number): string[] {
  const unsealed = seals.filter((seal) => !seal.isSealed);
  const time = unsealed.length === 0 ? '' : `; they had ${formatDuration(sealedWithinMs)} for it`;
  const named = unsealed.slice(0, NAMED_MAX).map((seal) => `${seal.target}: ${seal.message}`);
  const more = unsealed.length - NAMED_MAX;
  return [
    `${'Sealed'.padEnd(width)}${seals.length - unsealed.length} of ${seals.length} targets${time}`,
    ...[...named, ...(more > 0 ? [`and ${more} more: -o json names them`] : [])].map(
      (line) => `${' '.repeat(width)}${line}`,
    ),
  ];
}
