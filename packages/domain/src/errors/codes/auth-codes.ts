/** Error codes: authentication and rights. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const AUTH_CODES = {
  'auth.missing': entry('Unauthenticated', 'no token was sent', 'run: stella auth login, or pass --token-file'),
  'auth.invalid': entry(
    'Unauthenticated',
    'the token is not known here',
    "run: stella auth login, or on the server's machine: stella auth recover",
  ),
  'auth.expired': entry(
    'Unauthenticated',
    'the token expired at {expiredAt}',
    'run: stella auth login, or ask for a new token: stella auth token mint',
  ),
  'auth.revoked': entry(
    'Unauthenticated',
    'the token was revoked at {revokedAt}',
    'ask an admin for a new one: stella auth token mint',
  ),
  'auth.forbidden': entry(
    'Forbidden',
    '{actor} may not {action} on {object}; it needs the role {role}',
    'ask an admin to grant the role, or let somebody who has it act',
  ),
  'auth.own_request': entry(
    'Forbidden',
    '{actor} requested this promotion and may not approve it',
    'another person with the role approver must run: stella promotion approve {promotionId}',
  ),
  'auth.own_skip': entry(
    'Forbidden',
    '{actor} asked for the skip of gate "{gate}" and may not approve it',
    'another person with the role approver must run: stella promotion approve {promotionId} --skip {gate}',
  ),
  'auth.person_needed': entry(
    'Forbidden',
    'only a person can {action}; this token belongs to automation',
    'a person with the right role must do it',
  ),
  'auth.code_invalid': entry(
    'Unauthenticated',
    'the enrolment code is unknown, used or expired',
    'ask an admin to enrol the person again: stella auth person create',
  ),
  'auth.rate_limited': entry(
    'LimitExceeded',
    'too many failed attempts from this address',
    'wait {retryAfterSeconds} s',
  ),
} as const satisfies Record<string, ErrorEntry>;
