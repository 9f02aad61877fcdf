/** What the engine itself says: a row that no worker can move, a stopped environment, declared times, clocks. */
import { cureOf, describeHolding } from '../environment/environment-stop.ts';
import { canRetryNow } from '../promotion/commands/command.ts';
import { isHeld } from '../promotion/decide/gate-runs.ts';
import { formatDuration } from '../values/duration.ts';
import {
  type CaseView,
  commandRemedy,
  externalRemedy,
  type FindCauses,
  makeCause,
  makeFact,
  resumption,
  waitRemedy,
} from './case-view.ts';
import { commandLine } from './command-line.ts';
import type { Cause, Remedy } from './diagnosis.ts';
import { type GateLook, lookAtGates } from './gate-look.ts';
import { settingCommand } from './gate-remedies.ts';
import { describeWorstCase, PROMOTION_SLO_MS, retriesThatFit, timeoutWithin, worstCaseMs } from './time-budget.ts';

/** Clocks that differ by less are as good as equal. */
const SKEW_MS_MAX = 5_000;
/** A callback that was signed further away from the server's clock is refused (Standard Webhooks). */
const CALLBACK_SKEW_MS_MAX = 5 * 60_000;

export const findPoison: FindCauses = (view) => {
  const { setAside, id } = view.snapshot.promotion;
  if (setAside === null || view.isEnded) return [];
  return [
    makeCause(view, 'poison', {
      confidence: 'certain',
      facts: [
        makeFact('promotion', 'set aside', `each worker that took it failed alike: ${setAside.message}`, setAside.atMs),
      ],
      remedies: [
        externalRemedy({
          text: 'mend what the error names, or bring the orchestrators to a version that does',
          ...resumption(view),
        }),
        commandRemedy({
          text: 'give it up',
          command: commandLine('promotion', 'cancel', id),
          effect: 'ends it as soon as a worker can move it',
          harm: 'low',
          needs: 'releaser',
        }),
      ],
    }),
  ];
};

export const findStop: FindCauses = (view) => {
  const { environment } = view.snapshot;
  const { stop } = environment;
  if (stop === null || view.isEnded) return [];
  return [
    makeCause(view, 'fence.behind', {
      confidence: 'certain',
      facts: [makeFact('environment', `environment ${environment.name}`, describeHolding(stop), stop.atMs)],
      remedies: [
        commandRemedy({
          text: `look at what runs there (stella orch artifacts list --env ${environment.name}), then raise the fence above what the target holds`,
          command: cureOf(environment.name),
          effect: 'whoever still works there by the old fence is shut out; promotions go on by themselves',
          harm: 'high',
          needs: 'admin',
        }),
      ],
    }),
  ];
};

/** A gate does what it was told to, and it was told to take longer than a stall. */
export const findTimeBudget: FindCauses = (view) => {
  if (!view.isStalled) return [];
  const stuckAfterMs = view.snapshot.settings['stuck.after'];
  return lookAtGates(view)
    .filter(({ gate, run }) => !isHeld(run) && worstCaseMs(gate) > stuckAfterMs)
    .map((look) => budgetCause(view, look, stuckAfterMs));
};

function budgetCause(view: CaseView, { gate, run, slips, open }: GateLook, stuckAfterMs: number): Cause {
  const worst = describeWorstCase(gate);
  const limits = `stuck.after is ${formatDuration(stuckAfterMs)}, the objective ${formatDuration(PROMOTION_SLO_MS)}`;
  const last = open ?? slips.at(-1);
  const untilMs = (run.startedAtMs ?? view.nowMs) + worstCaseMs(gate);
  return makeCause(view, 'config.time_budget', {
    confidence: 'certain',
    facts: [
      makeFact('settings', `gate ${run.gate}`, `${worst}; ${limits}`, view.nowMs),
      makeFact(
        'attempts',
        `gate ${run.gate}`,
        `attempt ${run.attemptCount} of ${run.attemptLimit}`,
        last?.startedAtMs ?? view.nowMs,
      ),
    ],
    remedies: [
      fitting(view, run.gate, gate, stuckAfterMs),
      waitRemedy({ text: 'its declared attempts end by themselves', effect: 'then it passes, or is held', untilMs }),
    ],
  });
}

function fitting(view: CaseView, name: string, gate: GateLook['gate'], stuckAfterMs: number): Remedy {
  const retryCount = retriesThatFit(gate, stuckAfterMs);
  const timeoutMs = timeoutWithin(stuckAfterMs);
  const timing = retryCount === null ? { ...gate, timeoutMs, retryCount: 0 } : { ...gate, retryCount };
  const [setting, value] =
    retryCount === null
      ? (['timeout', formatDuration(timeoutMs)] as const)
      : (['retries', String(retryCount)] as const);
  return commandRemedy({
    text: `let all attempts at gate ${name} end before a stall`,
    command: settingCommand(view, name, setting, value),
    effect: `in the worst case ${describeWorstCase(timing)}; counts for attempts that are opened from now on`,
    needs: 'operator',
  });
}

/** Whatever a service calls back, its signature is from another time for this server. */
export function refusesCallbacks({ whole }: CaseView): boolean {
  return Math.abs(whole.server.clockAheadMs) > CALLBACK_SKEW_MS_MAX;
}

/** Told only beside a trouble: leases and deadlines go by the database's clock alone. */
export const findClockSkew: FindCauses = (view) => {
  const { hostname, clockAheadMs } = view.whole.server;
  if (Math.abs(clockAheadMs) <= SKEW_MS_MAX) return [];
  const by = `${formatDuration(Math.abs(clockAheadMs))} ${clockAheadMs > 0 ? 'ahead of' : 'behind'} the database`;
  return [
    makeCause(view, 'clock.skew', {
      confidence: 'likely',
      facts: [makeFact('server', `clock of ${hostname}`, by, view.nowMs)],
      remedies: [
        externalRemedy({
          text: `set the clock of ${hostname} or of the database right (NTP)`,
          ...(canRetryNow(view.snapshot)
            ? resumption(view)
            : {
                command: commandLine('orch', 'status'),
                effect: 'certificates, tokens and callbacks are judged by the right time again',
                needs: 'viewer',
              }),
        }),
      ],
    }),
  ];
};
