/**
 * What became of one operation, in a file of its own that only its operation, or a seal that came after it, writes.
 * Written twice: before the switch with the tree that it is going to switch to, and at the end with the answer.
 */
import { join } from 'node:path';
import { type Fence, formatFence, parseFence } from '@stella/domain';
import type { OperationAnswer } from '../../ports/target.ts';
import { parseRecordedAnswer } from '../recorded-answer.ts';
import type { TargetDeps } from '../target-deps.ts';
import { listNames, readOwnFile, removeName, writeDurably } from './durable-files.ts';
import { type FilesPlace, parseReleaseName, type ReleaseName } from './files-place.ts';

/** Records kept; an unclear operation is looked up by its next attempt or takeover, never later. */
const KEPT_RECORDS = 100;

export interface OperationRecord {
  readonly fence: Fence;
  readonly operationId: string;
  readonly verb: 'deploy' | 'rollback';
  /** The tree that it meant to switch to; null when it did not come that far. */
  readonly release: ReleaseName | null;
  /** Null while it runs, or when it was killed. */
  readonly result: OperationAnswer | null;
}

type RecordKey = Pick<OperationRecord, 'fence' | 'operationId'>;

/** Null when there is none that can be read. */
export async function readRecord(
  deps: Pick<TargetDeps, 'fileSystem'>,
  place: FilesPlace,
  key: RecordKey,
): Promise<OperationRecord | null> {
  const text = await readOwnFile(deps, join(place.operations, fileName(key)));
  return text === null ? null : parseRecord(text, key);
}

export async function writeRecord(
  deps: Pick<TargetDeps, 'fileSystem' | 'random'>,
  place: FilesPlace,
  record: OperationRecord,
): Promise<void> {
  const { fence, operationId, verb, release, result } = record;
  const text = JSON.stringify({ fence: formatFence(fence), operationId, verb, release: release?.text ?? null, result });
  await writeDurably(deps, join(place.operations, fileName(record)), { text, staging: place.staging });
}

/** Removes the oldest beyond the kept number. */
export async function removeOldRecords(deps: Pick<TargetDeps, 'fileSystem'>, place: FilesPlace): Promise<void> {
  const names = await listNames(deps, place.operations);
  const ordered = names.map((name) => ({ name, fence: fenceOf(name) })).sort((a, b) => byAge(a.fence, b.fence));
  for (const { name } of ordered.slice(0, -KEPT_RECORDS)) await removeName(deps, join(place.operations, name));
}

function fileName({ fence, operationId }: RecordKey): string {
  return `${formatFence(fence)}-${operationId}.json`;
}

function fenceOf(name: string): Fence {
  return parseFence(name.slice(0, Math.max(0, name.indexOf('-')))) ?? { epoch: 0, n: 0 };
}

function byAge(a: Fence, b: Fence): number {
  return a.epoch - b.epoch || a.n - b.n;
}

/** Our own JSON, read field by field; what does not fit is as good as no record. */
function parseRecord(text: string, key: RecordKey): OperationRecord | null {
  let value: Readonly<Record<string, unknown>> | null;
  try {
    // Parsed field by field below.
    value = JSON.parse(text) as Readonly<Record<string, unknown>> | null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const { verb, release, result } = value ?? {};
  if (verb !== 'deploy' && verb !== 'rollback') return null;
  return {
    fence: key.fence,
    operationId: key.operationId,
    verb,
    release: typeof release === 'string' ? parseReleaseName(release) : null,
    result: parseRecordedAnswer(result),
  };
}
