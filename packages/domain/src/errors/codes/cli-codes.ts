/** Error codes: the command line. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const CLI_CODES = {
  'cli.usage': entry('InvalidInput', '{message}', 'run the command with --help'),
  'cli.config_mode': entry(
    'InvalidInput',
    'the file {path} can be read by others (mode {mode})',
    'run: chmod 600 {path}',
  ),
  'cli.confirmation': entry('InvalidInput', '{what} asks for confirmation and this is no terminal', 'pass --yes'),
} as const satisfies Record<string, ErrorEntry>;
