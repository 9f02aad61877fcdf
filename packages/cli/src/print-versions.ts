/** `stella --version` */
import { makeClient } from '@stella/contract/client';
import { type CommandContext, EXIT_CODES, type GlobalOptions, type Terminal } from './command.ts';
import { findServer } from './connect/find-server.ts';
import { exitCodeOf, printError, toAppError } from './print-error.ts';
import { VERSION } from './version.ts';

/** A server that cannot be reached is no mistake: the question is which version this is. */
export async function printVersions(
  globals: GlobalOptions,
  env: CommandContext['env'],
  terminal: Terminal,
): Promise<number> {
  terminal.out(`client ${VERSION}\n`);
  try {
    const { server, token } = findServer(globals, env);
    const answer = await makeClient({ server, token, timeoutMs: globals.timeoutMs }).call('getVersion');
    terminal.out(`server ${answer.version}, api ${answer.api}, ${server}\n`);
    return EXIT_CODES.ok;
  } catch (error) {
    const known = toAppError(error);
    if (known.code !== 'server.unreachable') {
      printError(terminal, known, false);
      return exitCodeOf(known);
    }
    terminal.out('server none found\n');
    return EXIT_CODES.ok;
  }
}
