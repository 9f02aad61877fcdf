/** Runs checks side by side, each with its own deadline. A check that throws or takes too long has failed, and says so. */
import { AppError, nearestOf } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import type { Check, CheckFinding, DoctorDeps } from './check.ts';
import { CHECKS } from './checks.ts';

export interface CheckResult extends CheckFinding {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly durationMs: number;
}

export interface DoctorOrder {
  /** Null: all. */
  readonly id: string | null;
  /** Of each check. */
  readonly timeoutMs: number;
}

/** Errors: `check.not_found`, naming the nearest. */
export function runChecks(
  deps: DoctorDeps & { readonly clock: Clock },
  { id, timeoutMs }: DoctorOrder,
  checks: readonly Check[] = CHECKS,
): Promise<readonly CheckResult[]> {
  const wanted = id === null ? checks : checks.filter((check) => check.id === id);
  if (id !== null && wanted.length === 0) {
    const ids = checks.map((check) => check.id);
    const nearest = nearestOf(id, ids);
    throw new AppError('check.not_found', {
      details: { name: id, nearest, known: ids.join(', ') },
      ...(nearest === null ? {} : { hint: `did you mean "${nearest}"?` }),
    });
  }
  return Promise.all(wanted.map((check) => runCheck(deps, check, timeoutMs)));
}

async function runCheck(
  deps: DoctorDeps & { readonly clock: Clock },
  check: Check,
  timeoutMs: number,
): Promise<CheckResult> {
  const { clock } = deps;
  const beganMs = clock.monotonicMs();
  const finding = await lookInTime(deps, check, timeoutMs);
  const { id, title, why } = check;
  return { id, title, why, ...finding, durationMs: Math.round(clock.monotonicMs() - beganMs) };
}

function lookInTime(
  deps: DoctorDeps & { readonly clock: Clock },
  check: Check,
  timeoutMs: number,
): Promise<CheckFinding> {
  const halt = new AbortController();
  return new Promise((resolve) => {
    const giveUp = deps.clock.schedule(timeoutMs, () => {
      halt.abort();
      resolve(failed(`no answer within ${timeoutMs} ms`, check));
    });
    check.look(deps, halt.signal).then(
      (finding) => {
        giveUp();
        resolve(finding);
      },
      (error: unknown) => {
        giveUp();
        resolve(failed(error instanceof Error ? error.message : String(error), check));
      },
    );
  });
}

function failed(message: string, { id }: Check): CheckFinding {
  const remedy = { text: 'look again, with more time', command: `stella doctor --check ${id} --check-timeout 2m` };
  return { status: 'fail', message: `could not look: ${message}`, facts: [], remedy };
}
