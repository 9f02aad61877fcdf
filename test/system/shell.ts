/** A shell in which commands are typed one after the other, as a reader does it: what one sets, the next one has. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { waitFor } from '@stella/testkit';

export interface ShellAnswer {
  /** Both streams, as on a terminal. */
  readonly output: string;
  readonly exitCode: number;
}

export interface Shell {
  /** Commands read an empty stdin. Throws when it is not done within `timeoutMs`, or ends the shell. */
  run(command: string, timeoutMs: number): Promise<ShellAnswer>;
  close(): Promise<void>;
}

export function openShell({ cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Shell {
  const child = spawn('bash', ['--noprofile', '--norc'], { cwd, env, stdio: ['pipe', 'pipe', 'inherit'] });
  const mark = randomBytes(8).toString('hex');
  const end = new RegExp(`\\n${mark} (\\d+)\\n`);
  let hasEnded = false;
  let text = '';
  child.once('exit', () => {
    hasEnded = true;
  });
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.stdin.write('exec 2>&1; set -o pipefail\n');
  return {
    async run(command, timeoutMs) {
      text = '';
      const quoted = `'${command.replaceAll("'", "'\\''")}'`;
      child.stdin.write(`eval ${quoted} </dev/null; printf '\\n%s %d\\n' ${mark} $?\n`);
      await waitFor(() => hasEnded || end.test(text), { timeoutMs, why: `the shell is done with: ${command}` });
      const found = end.exec(text);
      if (!found) throw new Error(`the shell has ended: ${text}`);
      return { output: text.slice(0, found.index), exitCode: Number(found[1]) };
    },
    async close() {
      child.stdin.end();
      await waitFor(() => hasEnded, { timeoutMs: CLOSE_TIMEOUT_MS, why: 'the shell ends' });
    },
  };
}

const CLOSE_TIMEOUT_MS = 10_000;
