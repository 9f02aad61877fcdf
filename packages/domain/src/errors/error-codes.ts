/**
 * The one registry of error codes, a file for each family in `codes/`. It generates `docs/errors.md`, the HTTP status
 * and the exit code.
 */
import { AUTH_CODES } from './codes/auth-codes.ts';
import { CALLBACK_CODES } from './codes/callback-codes.ts';
import { CLI_CODES } from './codes/cli-codes.ts';
import { CONFLICT_CODES } from './codes/conflict-codes.ts';
import { DRILL_CODES } from './codes/drill-codes.ts';
import type { ErrorEntry, ErrorKind } from './codes/error-entry.ts';
import { GATE_CODES } from './codes/gate-codes.ts';
import { INPUT_CODES } from './codes/input-codes.ts';
import { INTERNAL_CODES } from './codes/internal-codes.ts';
import { LOCK_CODES } from './codes/lock-codes.ts';
import { NOT_FOUND_CODES } from './codes/not-found-codes.ts';
import { REGISTRY_CODES } from './codes/registry-codes.ts';
import { SERVER_CODES } from './codes/server-codes.ts';
import { SERVICE_CODES } from './codes/service-codes.ts';
import { TARGET_CODES } from './codes/target-codes.ts';

export const ERROR_CODES = {
  ...INPUT_CODES,
  ...AUTH_CODES,
  ...NOT_FOUND_CODES,
  ...CONFLICT_CODES,
  ...REGISTRY_CODES,
  ...GATE_CODES,
  ...CALLBACK_CODES,
  ...LOCK_CODES,
  ...TARGET_CODES,
  ...SERVER_CODES,
  ...SERVICE_CODES,
  ...DRILL_CODES,
  ...CLI_CODES,
  ...INTERNAL_CODES,
} as const satisfies Record<string, ErrorEntry>;

/** The families in the order in which the page of errors lists them. */
export const ERROR_FAMILIES: readonly {
  readonly title: string;
  readonly codes: Readonly<Record<string, ErrorEntry>>;
}[] = [
  { title: 'Input', codes: INPUT_CODES },
  { title: 'Authentication and rights', codes: AUTH_CODES },
  { title: 'Things that are not there', codes: NOT_FOUND_CODES },
  { title: 'Conflicts', codes: CONFLICT_CODES },
  { title: 'Registry and artifacts', codes: REGISTRY_CODES },
  { title: 'Gates', codes: GATE_CODES },
  { title: 'Gates that call back', codes: CALLBACK_CODES },
  { title: 'Locks, queue', codes: LOCK_CODES },
  { title: 'Targets', codes: TARGET_CODES },
  { title: 'Start-up and environment of the server', codes: SERVER_CODES },
  { title: 'The service of this machine', codes: SERVICE_CODES },
  { title: 'Drills', codes: DRILL_CODES },
  { title: 'The command line', codes: CLI_CODES },
  { title: 'Our own faults', codes: INTERNAL_CODES },
];

export type ErrorCode = keyof typeof ERROR_CODES;

/** HTTP status of each kind. Source: `docs/errors.md`. */
export const HTTP_STATUS_BY_KIND: Readonly<Record<ErrorKind, number>> = {
  InvalidInput: 400,
  Unauthenticated: 401,
  Forbidden: 403,
  NotFound: 404,
  Conflict: 409,
  Unprocessable: 422,
  LimitExceeded: 429,
  Unavailable: 503,
  InvariantViolated: 500,
};

/** Exit code of the command line for each kind. Source: `stella help exit-codes`. */
export const EXIT_CODE_BY_KIND: Readonly<Record<ErrorKind, number>> = {
  InvalidInput: 2,
  Unauthenticated: 3,
  Forbidden: 3,
  NotFound: 4,
  Conflict: 6,
  Unprocessable: 1,
  LimitExceeded: 10,
  Unavailable: 10,
  InvariantViolated: 1,
};
