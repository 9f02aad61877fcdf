/** Error codes: what services that call back are answered. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const CALLBACK_CODES = {
  'callback.unsigned': entry(
    'Unauthenticated',
    'the callback is not signed: {message}',
    'send webhook-id, webhook-timestamp and webhook-signature; see docs/environments.md',
  ),
  'callback.signature': entry(
    'Unauthenticated',
    'no signature of the callback fits its id, time and body',
    'sign "<id>.<timestamp>.<raw body>" with the secret of the gate, and send the body unchanged',
  ),
  'callback.clock': entry(
    'Unauthenticated',
    'the callback was signed at {signedAt}, more than {toleranceMs} ms from now',
    'set the clock of the service, and sign each delivery anew',
  ),
  'callback.unknown': entry(
    'NotFound',
    'no gate was asked with the operation id "{operationId}", or not one that is called back',
    'call back at the URL that the question named',
  ),
  'callback.foreign': entry(
    'Unprocessable',
    'the callback is about something else than operation {operationId}: {message}',
    'repeat operationId, gateRunId and release as the question had them',
  ),
  'callback.replayed': entry(
    'Conflict',
    'a callback with the id "{id}" was taken already',
    'nothing is to do: the first delivery counts',
  ),
  'callback.void': entry(
    'Conflict',
    'operation {operationId} takes no callback any more: {message}',
    'nothing is to do: if a verdict is still wanted, the service is asked anew',
  ),
  'callback.secret': entry(
    'Unavailable',
    'the secret of gate "{gate}" cannot be read by the server: {message}',
    "set the variable, or let the server's user read the file; then send the callback again",
  ),
} as const satisfies Record<string, ErrorEntry>;
