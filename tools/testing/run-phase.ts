/** Runs one part of `npm test` as a process with a deadline, and says how long it took. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tally } from './tally.ts';
import { parseVitestReport } from './vitest-report.ts';

/** Between asking a late process to end and ending it. */
const KILL_GRACE_MS = 5_000;
/** Kept output of one check; more would not be read. */
const OUTPUT_CHARACTERS_MAX = 4_000_000;
/** After the end of a process its last output may still be in the pipe. */
const DRAIN_MS = 100;

export interface PhaseContext {
  readonly root: string;
  /** Environment of every process of the run. */
  readonly env: NodeJS.ProcessEnv;
  /** Where reports go; outside of the temporary directory of the tests. */
  readonly reportFolder: string;
  /** Shows text to the person who waits. */
  readonly print: (text: string) => void;
}

export interface CheckPhase {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
}

/** A check counts as one test. Its output is shown only when it fails. */
export async function runCheck(check: CheckPhase, context: PhaseContext): Promise<Tally> {
  const startMs = performance.now();
  let output = '';
  const end = await runProcess(check, context, (text) => {
    if (output.length < OUTPUT_CHARACTERS_MAX) output += text;
  });
  const isPassed = end.exitCode === 0;
  if (!isPassed) context.print(`${output}${check.name}: ${end.reason}\n`);
  context.print(headline(check.name, isPassed, startMs));
  return isPassed ? { passed: 1, failed: [], skipped: [] } : { passed: 0, failed: [check.name], skipped: [] };
}

export interface VitestPhase {
  readonly name: string;
  /** Arguments after `vitest run`. */
  readonly args: readonly string[];
  readonly timeoutMs: number;
}

export async function runVitest(phase: VitestPhase, context: PhaseContext): Promise<Tally> {
  const startMs = performance.now();
  const reportFile = join(context.reportFolder, `${phase.name}.json`);
  const args = ['run', ...phase.args, '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const program = join(context.root, 'node_modules', '.bin', 'vitest');
  const end = await runProcess({ ...phase, program, args }, context, context.print);
  const tally = existsSync(reportFile)
    ? parseVitestReport(readFileSync(reportFile, 'utf8'), {
        phase: phase.name,
        root: context.root,
        exitCode: end.exitCode,
      })
    : { passed: 0, failed: [`${phase.name}: vitest wrote no report (${end.reason})`], skipped: [] };
  context.print(headline(phase.name, tally.failed.length === 0, startMs));
  return tally;
}

interface ProcessEnd {
  /** Null when it was ended by a signal, also by its deadline. */
  readonly exitCode: number | null;
  readonly reason: string;
}

function runProcess(check: CheckPhase, context: PhaseContext, print: (text: string) => void): Promise<ProcessEnd> {
  return new Promise((resolve, reject) => {
    const { program, args, timeoutMs } = check;
    const child = spawn(program, args, { cwd: context.root, env: context.env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.setEncoding('utf8').on('data', print);
    child.stderr.setEncoding('utf8').on('data', print);
    const deadline = setTimeout(() => child.kill('SIGTERM'), timeoutMs);
    const harder = setTimeout(() => child.kill('SIGKILL'), timeoutMs + KILL_GRACE_MS);
    child.on('error', reject);
    // Not `close`: a grandchild that was left behind may hold the pipes open for ever.
    child.on('exit', (exitCode, signal) => {
      clearTimeout(deadline);
      clearTimeout(harder);
      const reason = signal === null ? `exit code ${exitCode}` : `ended by ${signal}, deadline ${timeoutMs} ms`;
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ exitCode, reason });
      }, DRAIN_MS);
    });
  });
}

function headline(name: string, isPassed: boolean, startMs: number): string {
  return `== ${name}: ${isPassed ? 'passed' : 'FAILED'} in ${((performance.now() - startMs) / 1_000).toFixed(1)} s\n`;
}
