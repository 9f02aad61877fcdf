/** What became of an operation whose caller is gone: by its record, else by what runs. */
import type { Fence } from '@stella/domain';
import type { OperationAnswer } from '../../ports/target.ts';
import type { TargetDeps } from '../target-deps.ts';
import { isCurrent } from './current-link.ts';
import type { FilesPlace } from './files-place.ts';
import { readRecord, writeRecord } from './operation-record.ts';

/**
 * Null when it did not end, and did not switch. The caller has made sure that the operation cannot switch any more: by
 * the lock, or by a newer pair. An operation that was killed between its switch and its record succeeded: names of trees
 * are used once, so that `current` has this operation's name only when this operation switched.
 */
export async function lookUpResult(
  deps: TargetDeps,
  place: FilesPlace,
  key: { readonly fence: Fence; readonly operationId: string },
): Promise<OperationAnswer | null> {
  const found = await readRecord(deps, place, key);
  if (!found || found.result) return found?.result ?? null;
  if (!found.release || !(await isCurrent(deps, place, found.release))) return null;
  const result: OperationAnswer = {
    outcome: 'succeeded',
    digest: found.release.digest,
    message: 'switched, and was ended before it could say so',
  };
  try {
    await writeRecord(deps, place, { ...found, result });
  } catch (error) {
    // The next look-up finds the same by the same way.
    deps.logger.warn({ operationId: key.operationId, error }, 'the result of an operation was not recorded');
  }
  return result;
}
