/** Error codes: input. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const INPUT_CODES = {
  'input.invalid': entry('InvalidInput', '{message}', 'correct the value and send the request again'),
  'input.json': entry(
    'InvalidInput',
    'the body is not valid JSON: {message}',
    'send a JSON object with content-type application/json',
  ),
  'input.unknown_key': entry('InvalidInput', 'unknown key "{key}" at {where}', 'did you mean "{nearest}"?'),
  'input.digest': entry(
    'InvalidInput',
    '"{value}" is not a digest; expected sha256:<64 lowercase hex digits>',
    'copy the digest from: stella release show <release>',
  ),
  'input.duration': entry(
    'InvalidInput',
    '"{value}" is not a duration; expected forms like 90s, 5m, 1h30m, 2d',
    'write the duration with units',
  ),
  'input.id': entry(
    'InvalidInput',
    '"{value}" is not an id of kind {prefix}',
    'ids look like {prefix}_01jd8q… ; list them with the matching list command',
  ),
  'input.id_ambiguous': entry(
    'Conflict',
    'the prefix "{value}" matches several: {matches}',
    'give more characters of the id',
  ),
  'input.cursor': entry('InvalidInput', 'the cursor is not one that this server gave', 'start again without a cursor'),
  'input.yaml': entry('InvalidInput', '{file}:{line}: {message}', 'correct the file and apply it again'),
  'input.body_too_large': entry('LimitExceeded', 'the body is larger than {bytesMax} bytes', 'split the request'),
} as const satisfies Record<string, ErrorEntry>;
