/** Error codes: drills. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const DRILL_CODES = {
  'drill.unknown': entry('InvalidInput', 'there is no drill for {cause}: {reason}', 'see: stella drill list'),
  'drill.not_found': entry(
    'NotFound',
    'no drill of this machine is {name}; known: {known}',
    'see: stella drill status',
  ),
  'drill.needs': entry('Unprocessable', 'the drill {cause} needs {what}', 'see: stella drill list'),
  'drill.not_allowed': entry(
    'Unprocessable',
    'the server does not allow what the drill needs: {message}',
    'start the server with {setting}, then repeat the command',
  ),
  'drill.broken': entry(
    'Conflict',
    'the peer of the drill {name} does not run any more',
    'run: stella drill stop {name}',
  ),
  'drill.unexpected': entry(
    'Conflict',
    'the drill went otherwise than it should: {message}',
    'see: stella drill status',
  ),
} as const satisfies Record<string, ErrorEntry>;
