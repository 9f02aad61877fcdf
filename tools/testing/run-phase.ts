/** Runs one part of `npm test` as a process with a deadline, and says how long it took. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tally } from './tally.ts';
import { parseVitestReport } from './vitest-report.ts';

/** Between asking a late process to end and ending it. */
const KILL_GRACE_MS = 5_000;
/** Captured output of one check; more would not be read. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

export interface PhaseContext {
  readonly root: string;
  /** Environment of every process of the run. */
  readonly env: NodeJS.ProcessEnv;
  /** Where reports go; outside of the temporary directory of the tests. */
  readonly reportFolder: string;
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
  const end = await runProcess(check, context, 'captured');
  const isPassed = end.exitCode === 0;
  if (!isPassed) process.stdout.write(end.output);
  say(check.name, isPassed ? 'passed' : 'FAILED', startMs);
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
  const end = await runProcess({ ...phase, program, args }, context, 'shown');
  const tally = existsSync(reportFile)
    ? parseVitestReport(readFileSync(reportFile, 'utf8'), {
        phase: phase.name,
        root: context.root,
        exitCode: end.exitCode,
      })
    : { passed: 0, failed: [`${phase.name}: vitest wrote no report (${end.reason})`], skipped: [] };
  say(phase.name, tally.failed.length === 0 ? 'passed' : 'FAILED', startMs);
  return tally;
}

interface ProcessEnd {
  /** Null when it was ended by a signal, also by its deadline. */
  readonly exitCode: number | null;
  readonly reason: string;
  readonly output: string;
}

function runProcess(check: CheckPhase, context: PhaseContext, manner: 'captured' | 'shown'): Promise<ProcessEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(check.program, check.args, {
      cwd: context.root,
      env: context.env,
      stdio: ['ignore', manner === 'shown' ? 'inherit' : 'pipe', manner === 'shown' ? 'inherit' : 'pipe'],
    });
    let output = '';
    const collect = (bytes: Buffer): void => {
      if (output.length < OUTPUT_BYTES_MAX) output += bytes.toString('utf8');
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    const deadline = setTimeout(() => child.kill('SIGTERM'), check.timeoutMs);
    const harder = setTimeout(() => child.kill('SIGKILL'), check.timeoutMs + KILL_GRACE_MS);
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      clearTimeout(deadline);
      clearTimeout(harder);
      const reason = signal === null ? `exit code ${exitCode}` : `ended by ${signal}, deadline ${check.timeoutMs} ms`;
      resolve({ exitCode, reason, output: exitCode === 0 ? output : `${output}${check.name}: ${reason}\n` });
    });
  });
}

function say(name: string, word: string, startMs: number): void {
  console.log(`== ${name}: ${word} in ${((performance.now() - startMs) / 1_000).toFixed(1)} s`);
}
