/** What one error code says. Templates and hints name values as `{key}`; an `AppError` fills them from its `details`. */
export const ERROR_KINDS = [
  'InvalidInput',
  'Unauthenticated',
  'Forbidden',
  'NotFound',
  'Conflict',
  'Unprocessable',
  'LimitExceeded',
  'Unavailable',
  'InvariantViolated',
] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

export interface ErrorEntry {
  readonly kind: ErrorKind;
  readonly template: string;
  readonly hint: string;
}

export const entry = (kind: ErrorKind, template: string, hint: string): ErrorEntry => ({ kind, template, hint });
