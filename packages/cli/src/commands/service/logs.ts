/** `stella service logs`: what server and supervisor said, from the log file or from the journal of systemd. */
import { spawn } from 'node:child_process';
import { AppError } from '@stella/domain/client';
import { type CommandSpec, EXIT_CODES, type Terminal } from '../../command.ts';
import { isSet, textOption } from '../../input.ts';
import { formatLogLine } from './format-log-line.ts';
import { followLog, readLastLines } from './log-tail.ts';
import { DATA_DIR_OPTION, openThisMachine, SERVICE_POSITIONALS } from './this-machine.ts';

const LINES_STANDARD = '100';
const LINES_MAX = 100_000;

export const serviceLogs: CommandSpec = {
  path: ['service', 'logs'],
  summary: 'What the orchestrator of this machine said last',
  kind: 'read',
  positionals: SERVICE_POSITIONALS,
  options: [
    DATA_DIR_OPTION,
    { flags: '-f, --follow', summary: 'and what it says from now on' },
    { flags: '-n, --lines <count>', summary: 'how many of the last lines (100)' },
  ],
  async run(context, input) {
    const { terminal, globals } = context;
    const { chooseManager, readReport, UNIT_NAME } = await import('@stella/server/service');
    const lineCount = parseLines(textOption(input.options, 'lines') ?? LINES_STANDARD);
    const { deps, dataDir } = await openThisMachine(context, input);
    const isFollowed = isSet(input.options, 'follow');
    const isForPeople = globals.output === 'table' || globals.output === 'wide';
    const print = (line: string): void => terminal.out(`${isForPeople ? formatLogLine(line) : line}\n`);
    const { manager } = await chooseManager(deps, dataDir, null);
    if (manager === 'systemd') return readJournal(UNIT_NAME, { lineCount, isFollowed, print, terminal });
    const { logFile } = await readReport(deps, dataDir);
    if (logFile === null) {
      deps.tell('it writes no log of its own: look where it was started, as in docker logs <container>');
      return undefined;
    }
    const { lines, end } = await readLastLines(logFile, lineCount);
    for (const line of lines) print(line);
    if (isFollowed) await followLog(logFile, { from: end, print, until: terminal.interrupted });
    return undefined;
  },
};

function parseLines(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= LINES_MAX) return count;
  throw new AppError('cli.usage', {
    details: { message: `"${text}" is no count of lines; expected 0 to ${LINES_MAX}` },
  });
}

interface Reading {
  readonly lineCount: number;
  readonly isFollowed: boolean;
  readonly print: (line: string) => void;
  readonly terminal: Terminal;
}

/** journalctl(1); the lines are our own JSON. */
async function readJournal(unit: string, { lineCount, isFollowed, print, terminal }: Reading): Promise<number> {
  const words = ['--unit', unit, '--output', 'cat', '--lines', String(lineCount), ...(isFollowed ? ['--follow'] : [])];
  const child = spawn('journalctl', words, { stdio: ['ignore', 'pipe', 'inherit'], signal: terminal.interrupted });
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) print(line);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      if (terminal.interrupted.aborted) resolve(EXIT_CODES.interrupted);
      else reject(new AppError('service.manager', { details: { command: 'journalctl', message: error.message } }));
    });
    child.once('close', (code) => resolve(code ?? EXIT_CODES.ok));
  });
}
