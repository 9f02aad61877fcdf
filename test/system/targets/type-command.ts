/** Types a command as the on-call does it: at the built program, as the first admin of a server. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ServerPlace, ServerProcess } from '@stella/testkit';

const PROGRAM = join(import.meta.dirname, '../../../packages/cli/dist/main.mjs');
const TIMEOUT_MS = 120_000;

/** `promotion`, `retry`, `p-7` → what it says, as the text of its JSON; rejects when it fails. */
export async function typeWords(
  { url }: Pick<ServerProcess, 'url'>,
  { dataDir }: Pick<ServerPlace, 'dataDir'>,
  words: readonly string[],
): Promise<string> {
  const env = { ...process.env, STELLA_SERVER: url, STELLA_TOKEN_FILE: join(dataDir, 'admin.token') };
  const argv = [PROGRAM, ...words, '-o', 'json'];
  return (await promisify(execFile)(process.execPath, argv, { env, timeout: TIMEOUT_MS })).stdout;
}

/** The same of a line as a remedy prints it: `stella promotion retry p-7`. */
export function typeLine(server: Pick<ServerProcess, 'url'>, place: ServerPlace, line: string): Promise<string> {
  const [program, ...words] = line.split(' ');
  if (program !== 'stella') throw new Error(`this is no command of ours: ${line}`);
  return typeWords(server, place, words);
}
