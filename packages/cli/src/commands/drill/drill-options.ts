/** What the commands of drills have in common: which server, which directory, who the second person is. */
import { makeClient } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import type { CommandContext, CommandInput, OptionSpec } from '../../command.ts';
import { readPrivately } from '../../connect/client-config.ts';
import { textOption } from '../../input.ts';
import type { DrillDeps } from '../../drills/start-drill.ts';

export const DIRECTORY_OPTION: OptionSpec = {
  flags: '--directory <directory>',
  summary: 'where drills keep their files (/var/tmp/stella-drills)',
};
export const ADDRESS_OPTION: OptionSpec = {
  flags: '--address <address>',
  summary: 'of this machine, as the server reaches it (one of 127.0.0.0/8)',
};
export const APPROVER_OPTION: OptionSpec = {
  flags: '--approver-token-file <file>',
  summary: 'of a second person, for drills that want one',
};

export async function openDrills(context: CommandContext, { options }: CommandInput): Promise<DrillDeps> {
  const { drillsDirectory } = await import('../../drills/place.ts');
  const { client, server } = await context.connect();
  const file = textOption(options, 'approverTokenFile');
  const token = file === undefined ? null : readPrivately(file)?.trim();
  if (token === undefined) {
    throw new AppError('cli.usage', { details: { message: `there is no token file ${file ?? ''}` } });
  }
  return {
    client,
    server,
    colleague: token === null ? null : makeClient({ server, token, timeoutMs: context.globals.timeoutMs }),
    drills: drillsDirectory(textOption(options, 'directory')),
    address: textOption(options, 'address') ?? null,
  };
}

/** For commands that are run as they are printed: the same server, by the same person. */
export function environmentOf({ env, globals }: CommandContext): Readonly<Record<string, string | undefined>> {
  const { server, context, tokenFile } = globals;
  return {
    ...env,
    ...(server === undefined ? {} : { STELLA_SERVER: server }),
    ...(context === undefined ? {} : { STELLA_CONTEXT: context }),
    ...(tokenFile === undefined ? {} : { STELLA_TOKEN_FILE: tokenFile }),
  };
}
