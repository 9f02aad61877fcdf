/** Runs checks side by side, each with its own deadline. A check that throws or takes too long has failed, and says so. */
import { AppError, nearestOf } from '@stella/domain';
import { categoryOf, type Check, CHECK_CATEGORIES, type CheckFinding, type DoctorDeps } from './check.ts';
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
  /** Null: of all. */
  readonly category: string | null;
  /** Of each check. */
  readonly timeoutMs: number;
}

/** Side by side. Errors: `check.not_found`, naming the nearest. */
export function runChecks(
  deps: DoctorDeps,
  order: DoctorOrder,
  checks: readonly Check[] = CHECKS,
): Promise<readonly CheckResult[]> {
  return Promise.all(pickChecks(order, checks).map((check) => runCheck(deps, check, order.timeoutMs)));
}

function pickChecks({ id, category }: DoctorOrder, checks: readonly Check[]): readonly Check[] {
  const wanted = checks.filter(
    (check) => (id === null || check.id === id) && (category === null || categoryOf(check) === category),
  );
  if (wanted.length > 0) return wanted;
  const known = id === null ? CHECK_CATEGORIES : checks.map((check) => check.id);
  const name = id ?? category ?? '';
  const nearest = nearestOf(name, known);
  throw new AppError('check.not_found', {
    details: { name, nearest, known: known.join(', ') },
    ...(nearest === null ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}

async function runCheck(deps: DoctorDeps, check: Check, timeoutMs: number): Promise<CheckResult> {
  const { clock } = deps;
  const beganMs = clock.monotonicMs();
  const finding = await lookInTime(deps, check, timeoutMs);
  const { id, title, why } = check;
  return { id, title, why, ...finding, durationMs: Math.round(clock.monotonicMs() - beganMs) };
}

function lookInTime(deps: DoctorDeps, check: Check, timeoutMs: number): Promise<CheckFinding> {
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
