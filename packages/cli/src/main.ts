/** The program `stella`. */
import type { Terminal } from './command.ts';
import { runCli } from './run-cli.ts';

const COLUMNS_STANDARD = 80;

/** Made when somebody asks: loading what makes it is a large part of what help takes. */
let interrupt: AbortController | null = null;
let isInterrupted = false;
const argv = process.argv.slice(2);
const isServing = /^(orch serve|service run)$/.test(argv.slice(0, 2).join(' '));
// A server stops in its own way; everything else ends at once when it was told twice.
if (!isServing) {
  process.on('SIGINT', () => {
    if (isInterrupted) process.exit(130);
    isInterrupted = true;
    interrupt?.abort();
    setTimeout(() => process.exit(130), 250).unref();
  });
}
// The reader went away (`stella … | head`): there is nobody left to tell.
process.stdout.on('error', () => process.exit(0));

const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isOutTty: process.stdout.isTTY,
  isErrTty: process.stderr.isTTY,
  columns: process.stdout.columns ?? COLUMNS_STANDARD,
  nowMs: () => Date.now(),
  get interrupted() {
    interrupt ??= new AbortController();
    if (isInterrupted) interrupt.abort();
    return interrupt.signal;
  },
};

const code = await runCli(argv, process.env, terminal);
process.exitCode = isInterrupted ? 130 : code;
// Streams and keep-alive connections may still be open; what was written is flushed first.
process.stdout.write('', () => process.stderr.write('', () => process.exit()));
