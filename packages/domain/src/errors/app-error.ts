/**
 * The one error class of Stella. Everything that a person or a program may meet is an `AppError` whose `code` is
 * listed in `codes/`; match on `code`, never on text.
 */
import type { ErrorKind } from './codes/error-entry.ts';
import { type ErrorCode, ERROR_CODES } from './error-codes.ts';

export type ErrorDetails = Readonly<Record<string, unknown>>;

export interface AppErrorOptions {
  /** Values that the message template names as `{key}`, and further machine-readable facts. Never a secret. */
  readonly details?: ErrorDetails;
  /** What to do next, when it is more exact than the registry's hint, e.g. a full command line. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * Example: `new AppError('environment.not_found', { details: { name: 'prdo', nearest: 'prod' } })`.
 *
 * `message` is the registry's template with `{key}` replaced by `details[key]`; `kind` decides the HTTP status and
 * the exit code.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly hint: string;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    const entry = ERROR_CODES[code];
    const details = options.details ?? {};
    super(fillTemplate(entry.template, details), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.kind = entry.kind;
    this.hint = options.hint ?? fillTemplate(entry.hint, details);
    this.details = details;
  }
}

/** True when `error` is an `AppError`, of the given code when one is named. */
export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return error instanceof AppError && (code === undefined || error.code === code);
}

function fillTemplate(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (whole, key: string) => {
    const value = details[key];
    if (value === undefined) return whole;
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}
