/** Errors of a target's work → the answers of its verbs. */
import { AppError, type ErrorKind, type Fence, formatFence, isAppError } from '@stella/domain';
import type { OperationAnswer } from '../ports/target.ts';

/** An accepted operation lost its right: a newer operation or a seal was accepted. `held` is the newer fence. */
export class FencedOut extends Error {
  readonly held: Fence;
  constructor(held: Fence, cause?: unknown) {
    super(`the target holds fence ${formatFence(held)}`, cause === undefined ? undefined : { cause });
    this.name = 'FencedOut';
    this.held = held;
  }
}

/** True for an error of the file system with that code, such as `ENOENT`. */
export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => error.code === code);
}

/**
 * Whatever was thrown → an `AppError`: an error of the file system is `target.disk_full`, `target.denied` or `target.disk`,
 * one without a code `internal`.
 */
export function toTargetError(error: unknown, target: string): AppError {
  if (isAppError(error)) return error;
  if (error instanceof Error && 'syscall' in error) {
    return new AppError(diskCode(error), { details: { target, message: error.message }, cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new AppError('internal', { details: { message }, cause: error });
}

function diskCode(error: Error): DiskCode {
  if (hasErrno(error, 'ENOSPC', 'EDQUOT')) return 'target.disk_full';
  return hasErrno(error, 'EACCES', 'EPERM', 'EROFS') ? 'target.denied' : 'target.disk';
}

/**
 * As every C library words ENOSPC, EDQUOT, EACCES, EPERM and EROFS: what a program of a host said. Of a disk that fills up
 * within a file GNU tar tells only how much it wrote.
 */
export function diskCodeOfWords(words: string): DiskCode {
  if (/No space left|quota exceeded|Wrote only \d+ of/i.test(words)) return 'target.disk_full';
  return /Permission denied|not permitted|Read-only/i.test(words) ? 'target.denied' : 'target.disk';
}

const DISK_CODES = ['target.disk', 'target.disk_full', 'target.denied'] as const;
type DiskCode = (typeof DISK_CODES)[number];

/** These say no: trying again changes nothing until a person mends what they name. */
const NO_KINDS: ReadonlySet<ErrorKind> = new Set([
  'NotFound',
  'Unprocessable',
  'Forbidden',
  'LimitExceeded',
  'InvalidInput',
]);

/** Is it a clear no, rather than that we could not tell? A disk that cannot take the files is a no. */
export function isClearNo(error: AppError): boolean {
  return NO_KINDS.has(error.kind) || DISK_CODES.some((code) => error.code === code);
}

/** The answer of an operation that changed nothing. */
export function toOperationAnswer(error: unknown, target: string): OperationAnswer {
  if (error instanceof FencedOut) return refusedAnswer(error.held);
  const known = toTargetError(error, target);
  return { outcome: isClearNo(known) ? 'failed' : 'errored', code: known.code, message: known.message };
}

export function refusedAnswer(held: Fence): OperationAnswer {
  return { outcome: 'refused', held, message: `a newer fence ${formatFence(held)} is there` };
}

/** The answer of a verb that only looks or seals. */
export function toErroredAnswer(
  error: unknown,
  target: string,
): { readonly outcome: 'errored'; readonly code: string; readonly message: string } {
  const { code, message } = toTargetError(error, target);
  return { outcome: 'errored', code, message };
}
