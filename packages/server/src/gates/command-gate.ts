/**
 * Gate kind `command`: runs a program of this machine without a shell, the question as JSON on its stdin. Exit code 0 is a
 * yes, 1 a no; every other end is an error, and errors close. It gets no more of the server's environment than a path, and
 * ends with all that it has started in its process group by the attempt's deadline.
 */
import { canonicalJson, type CommandGateDefinition, type Json } from '@stella/domain';
import type { GateAnswer, GateEvaluator, GateQuestion } from '../ports/gate.ts';
import type { GroupResult, Processes } from '../ports/processes.ts';
import type { CommandRuns } from './command-runs.ts';
import { findProgram, type ProgramDeps } from './find-program.ts';
import { error, lastLineOf, parseReport } from './parse-answer.ts';

/** A report is small; a program that writes more is broken. */
const OUTPUT_BYTES_MAX = 65_536;
/** SIGTERM comes before the deadline, so that SIGKILL is at it: so long, or a quarter of a short time-out. */
const TERM_LEAD_MS = 2_000;
/** When the worker stops, before the effect is given up. */
const ABORT_GRACE_MS = 250;
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' } as const;

export interface CommandGateDeps extends ProgramDeps {
  readonly processes: Pick<Processes, 'runGroup'>;
  readonly runs: CommandRuns;
}

export function makeCommandGate(deps: CommandGateDeps): GateEvaluator<CommandGateDefinition> {
  return {
    async evaluate(definition, question, { signal, timeoutMs }) {
      const found = await findProgram(deps, definition);
      if (!found.isThere) return error(found.code, found.message);
      let ended: () => void = () => undefined;
      try {
        const result = await deps.processes.runGroup([found.program, ...definition.args], {
          cwd: found.directory,
          env: ENVIRONMENT,
          // A question is a plain JSON value.
          input: `${canonicalJson(question as unknown as Json)}\n`,
          outputBytesMax: OUTPUT_BYTES_MAX,
          termAfterMs: timeoutMs - Math.min(TERM_LEAD_MS, timeoutMs / 4),
          killAfterMs: timeoutMs,
          signal,
          abortGraceMs: ABORT_GRACE_MS,
          onStart: (pid) => {
            ended = deps.runs.note(pid);
          },
        });
        return answerOf(result, question, timeoutMs);
      } catch (cause) {
        return error('gate.program_missing', cause instanceof Error ? cause.message : String(cause));
      } finally {
        ended();
      }
    },
  };
}

function answerOf(result: GroupResult, question: GateQuestion, timeoutMs: number): GateAnswer {
  const { exitCode, signal, stdout, stderr } = result;
  if (result.isAborted) return error('gate.error', 'the program was ended, for its worker stops');
  if (result.isCut) return error('gate.bad_response', `it wrote more than ${OUTPUT_BYTES_MAX} bytes`);
  if (result.isTimedOut) {
    return { outcome: 'timeout', code: 'gate.timeout', message: `it had not ended within ${timeoutMs} ms` };
  }
  if (exitCode === 0 || exitCode === 1) {
    return parseReport(Buffer.from(stdout), question, exitCode === 0 ? 'passed' : 'failed');
  }
  const how = exitCode === null ? `it was ended by ${signal ?? 'a signal'}` : `exit code ${exitCode}`;
  const said = lastLineOf(stderr);
  return error('gate.error', said === '' ? how : `${how}: ${said}`);
}
