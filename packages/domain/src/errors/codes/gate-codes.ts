/** Error codes: gates. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const GATE_CODES = {
  'gate.failed': entry(
    'Unprocessable',
    'gate "{gate}" said no: {message}',
    'see: stella promotion gates {promotionId}',
  ),
  'gate.timeout': entry(
    'Unavailable',
    'gate "{gate}" did not answer within {timeoutMs} ms',
    'see that the gate service runs, then: stella promotion retry {promotionId}',
  ),
  'gate.error': entry(
    'Unavailable',
    'gate "{gate}" could not be asked: {message}',
    'see that the gate service runs, then: stella promotion retry {promotionId}',
  ),
  'gate.dns': entry(
    'Unavailable',
    'the name in the URL of gate "{gate}" was not found: {message}',
    'correct the name or the name service; see: stella promotion diagnose {promotionId}',
  ),
  'gate.unreachable': entry(
    'Unavailable',
    'gate "{gate}" could not be connected to: {message}',
    'see that the gate service runs; see: stella promotion diagnose {promotionId}',
  ),
  'gate.tls': entry(
    'Unavailable',
    'gate "{gate}" is not trusted: {message}',
    'renew or correct its certificate; see: stella promotion diagnose {promotionId}',
  ),
  'gate.deadline': entry(
    'Unprocessable',
    'gate "{gate}" was not settled before {deadlineAt}',
    'start anew: stella promotion retry {promotionId}',
  ),
  'gate.hold_ended': entry(
    'Unprocessable',
    'gate "{gate}" was held until {heldUntil} and nobody acted',
    'start anew: stella promotion retry {promotionId}',
  ),
  'gate.rejected': entry(
    'Unprocessable',
    '{actor} rejected at gate "{gate}": {reason}',
    'talk to them; then: stella promotion retry {promotionId}',
  ),
  'gate.bad_response': entry(
    'Unavailable',
    'gate "{gate}" answered something else than a verdict: {message}',
    'the service must answer {"verdict":"passed"} or {"verdict":"failed"}',
  ),
  'gate.no_callback': entry(
    'Unavailable',
    'gate "{gate}" took the question and did not call back: {message}',
    'see that its service can reach this server; see: stella promotion diagnose {promotionId}',
  ),
  'gate.secret': entry(
    'Unavailable',
    'the secret of gate "{gate}" cannot be read: {message}',
    "set the variable, or let the server's user read the file; see: stella promotion diagnose {promotionId}",
  ),
  'gate.address_forbidden': entry(
    'Forbidden',
    'the address {address} of gate "{gate}" is not in the allowed ranges',
    'allow it in STELLA_OUTGOING_ALLOW, or correct the URL',
  ),
  'gate.program_forbidden': entry(
    'Forbidden',
    'the program of gate "{gate}" may not be run: {message}',
    'allow its folder in STELLA_COMMAND_DIRECTORIES, or correct the path',
  ),
  'gate.program_missing': entry(
    'Unavailable',
    'the program of gate "{gate}" cannot be run: {message}',
    'install it on every machine with a worker; see: stella promotion diagnose {promotionId}',
  ),
  'gate.rounds': entry(
    'Unprocessable',
    'gate "{gate}" expired in {rounds} rounds',
    'raise its validFor, then: stella promotion retry {promotionId}',
  ),
} as const satisfies Record<string, ErrorEntry>;
