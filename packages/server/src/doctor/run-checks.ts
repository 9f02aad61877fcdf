/** Runs checks side by side, each with its own deadline. A check that throws or takes too long has failed, and says so. */
import { AppError, nearestOf } from '@stella/domain';
import {
  categoryOf,
  type Check,
  CHECK_CATEGORIES,
  type CheckCategory,
  type CheckFamily,
  type CheckFinding,
  type DoctorDeps,
  type FamilyOrder,
} from './check.ts';
import { CHECK_FAMILIES, CHECKS } from './checks.ts';

export interface CheckResult extends CheckFinding {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly durationMs: number;
}

export interface DoctorOrder extends FamilyOrder {
  /** Null: all. A part of an id means all below it. */
  readonly id: string | null;
  /** Null: of all. */
  readonly category: string | null;
  /** Of each check. */
  readonly timeoutMs: number;
}

/** Checks that look at the same time: each takes a connection, a socket or a disk. */
const CHECKS_AT_ONCE = 20;

/** In their order, many side by side. Errors: `check.not_found`, naming the nearest. */
export async function runChecks(
  deps: DoctorDeps,
  order: DoctorOrder,
  all: { readonly checks: readonly Check[]; readonly families: readonly CheckFamily[] } = {
    checks: CHECKS,
    families: CHECK_FAMILIES,
  },
): Promise<readonly CheckResult[]> {
  const asked = all.families.filter(({ category }) => isAsked(order, category));
  const listed = await Promise.all(asked.map((family) => listFamily(deps, family, order)));
  const checks = pickChecks(order, [...all.checks, ...listed.flat()]);
  const results: CheckResult[] = [];
  const queue = checks.entries();
  const takeTurns = async (): Promise<void> => {
    for (const [index, check] of queue) results[index] = await runCheck(deps, check, order.timeoutMs);
  };
  await Promise.all(Array.from({ length: Math.min(CHECKS_AT_ONCE, checks.length) }, takeTurns));
  return results;
}

function isAsked({ id, category }: DoctorOrder, of: CheckCategory): boolean {
  if (id !== null) return `${id}.`.startsWith(`check.${of}.`);
  return category === null || category === of;
}

/** What cannot be listed is one check that tells why. */
async function listFamily(deps: DoctorDeps, family: CheckFamily, order: DoctorOrder): Promise<readonly Check[]> {
  const { category } = family;
  try {
    return await inTime(deps, order.timeoutMs, () => family.list(deps, order));
  } catch (error) {
    const why = 'what cannot be listed cannot be looked at';
    return [{ id: `check.${category}`, title: 'All of them', why, look: () => Promise.reject(error) }];
  }
}

/** A part of an id stands for all below it: `check.network.prod`. */
function pickChecks({ id, category }: DoctorOrder, checks: readonly Check[]): readonly Check[] {
  const wanted = checks.filter(
    (check) =>
      (id === null || `${check.id}.`.startsWith(`${id}.`)) && (category === null || categoryOf(check) === category),
  );
  if (wanted.length > 0 || CHECK_CATEGORIES.some((known) => known === category && id === null)) return wanted;
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

async function lookInTime(deps: DoctorDeps, check: Check, timeoutMs: number): Promise<CheckFinding> {
  try {
    return await inTime(deps, timeoutMs, (signal) => check.look(deps, signal));
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error), check);
  }
}

/** Rejects when it takes longer; the signal aborts then. */
function inTime<T>({ clock }: DoctorDeps, timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const halt = new AbortController();
  return new Promise((resolve, reject) => {
    const giveUp = clock.schedule(timeoutMs, () => {
      halt.abort();
      reject(new Error(`no answer within ${timeoutMs} ms`));
    });
    work(halt.signal).then(resolve, reject).finally(giveUp);
  });
}

function failed(message: string, { id }: Check): CheckFinding {
  const remedy = { text: 'look again, with more time', command: `stella doctor --check ${id} --check-timeout 2m` };
  return { status: 'fail', message: `could not look: ${message}`, facts: [], remedy };
}
