/** What cures a gate: more time, computed from what was measured; its repair; or stepping around it with a second person. */
import { isOpenSkip } from '../promotion/skip.ts';
import { skippableGates } from '../promotion/commands/command.ts';
import type { AnySettingKey } from '../settings/settings.ts';
import type { GateSetting } from '../settings/gate-settings.ts';
import { formatDuration } from '../values/duration.ts';
import { type CaseView, commandRemedy, externalRemedy, renewal, resumption } from './case-view.ts';
import type { CauseCode } from './causes.ts';
import { commandLine, withReason } from './command-line.ts';
import type { Remedy } from './diagnosis.ts';
import type { GateLook } from './gate-look.ts';
import { describeWorstCase, PROMOTION_SLO_MS, retriesThatFit, timeoutFor, worstCaseMs } from './time-budget.ts';

/** Of a gate that answers, or would, with more time. `measuredMs` null: nobody knows how long it takes now. */
export function timingRemedies(view: CaseView, look: GateLook, measuredMs: number | null): Remedy[] {
  return [
    ...raiseRemedies(view, look, measuredMs),
    ...skipRemedies(view, look),
    externalRemedy({
      text: `find out why the service of gate ${look.run.gate} is slow; check it with: ${connectivity(look)}`,
      ...resumption(view),
    }),
  ];
}

/** Of a gate that cannot answer as it is. */
export function mendRemedies(view: CaseView, look: GateLook, code: CauseCode): Remedy[] {
  const { gate } = look.run;
  const text = `${MENDING[code] ?? 'mend its service'} (gate ${gate}); check it with: ${connectivity(look)}`;
  const mend = externalRemedy({ text, ...(RENEWING.has(code) ? renewal(view) : resumption(view)) });
  return [mend, ...(code === 'gate.dns' ? nameServiceRemedies(view) : []), ...skipRemedies(view, look)];
}

/** Their cure is another definition. */
const RENEWING: ReadonlySet<CauseCode> = new Set(['gate.dns', 'gate.misconfigured']);

/** Where the name is right, and is found again, what has passed already is kept. */
function nameServiceRemedies(view: CaseView): Remedy[] {
  if (view.isEnded) return [];
  return [externalRemedy({ text: 'or repair the name service, when the name is right', ...resumption(view) })];
}

const MENDING: Readonly<Partial<Record<CauseCode, string>>> = {
  'gate.dns': 'correct the name in its URL, and apply the definition',
  'gate.unreachable': 'start its service, or open the way to it',
  'gate.tls': 'renew or correct its certificate',
  'gate.bad_response': 'let its service answer {"verdict":"passed"} or {"verdict":"failed"} with status 200',
  'gate.erroring': 'look into the log of its service for what it answered',
  'gate.no_callback': 'let its service call back with a signed verdict, and reach this server',
  'gate.misconfigured':
    'correct its URL or program and apply the definition, or allow it in STELLA_OUTGOING_ALLOW or STELLA_COMMAND_DIRECTORIES and start the server again',
};

function connectivity({ run }: GateLook): string {
  return commandLine('orch', 'connectivity', '--gate', run.gate) ?? '';
}

/** The time-out that fits what was measured, and the retries that keep all attempts within `stuck.after`. */
function raiseRemedies(view: CaseView, look: GateLook, measuredMs: number | null): Remedy[] {
  const { gate, run } = look;
  const wantedMs = timeoutFor(Math.max(measuredMs ?? 0, measuredMs === null ? gate.timeoutMs : 0));
  if (wantedMs === null || wantedMs <= gate.timeoutMs) return [];
  const stuckAfterMs = view.snapshot.settings['stuck.after'];
  const raised = { timeoutMs: wantedMs, retryCount: gate.retryCount, backoffMs: gate.backoffMs };
  const retryCount = retriesThatFit(raised, stuckAfterMs);
  const doesFit = worstCaseMs(raised) <= stuckAfterMs;
  const measured =
    measuredMs === null
      ? `${formatDuration(gate.timeoutMs)} did not suffice`
      : `it answers after ${formatDuration(measuredMs)}`;
  const raise = commandRemedy({
    text: `give gate ${run.gate} more time: ${measured}`,
    command: settingCommand(view, run.gate, 'timeout', formatDuration(wantedMs)),
    effect: `${resumeWords(look)}; in the worst case ${describeWorstCase(raised)}${fitWords(raised, stuckAfterMs)}`,
    needs: 'operator',
  });
  if (doesFit || retryCount === null) return [raise];
  const lower = commandRemedy({
    text: `and ask it less often, so that all attempts end before a stall (stuck.after ${formatDuration(stuckAfterMs)})`,
    command: settingCommand(view, run.gate, 'retries', String(retryCount)),
    effect: `in the worst case ${describeWorstCase({ ...raised, retryCount })}; counts for gates that open from now on`,
    needs: 'operator',
  });
  return [raise, lower];
}

function resumeWords({ isHeld }: GateLook): string {
  return isHeld ? 'the held gate is asked again at once' : 'counts from its next attempt on';
}

function fitWords(timing: Parameters<typeof worstCaseMs>[0], stuckAfterMs: number): string {
  const totalMs = worstCaseMs(timing);
  if (totalMs <= stuckAfterMs) return `, within stuck.after (${formatDuration(stuckAfterMs)})`;
  const beyond = `, beyond stuck.after (${formatDuration(stuckAfterMs)})`;
  return totalMs <= PROMOTION_SLO_MS
    ? beyond
    : `${beyond} and beyond the objective of ${formatDuration(PROMOTION_SLO_MS)}`;
}

/** With the key that counts: a setting of this environment beats the one for all of them. */
export function settingCommand(view: CaseView, gate: string, setting: GateSetting, value: string): string | null {
  const { environment } = view.snapshot.promotion;
  const own: AnySettingKey = `environments.${environment}.gates.${gate}.${setting}`;
  const isOwn = view.snapshot.settings[own] !== undefined;
  return commandLine('orch', 'config', 'set', isOwn ? own : `gates.${gate}.${setting}`, value);
}

/** Approve what was asked for, or ask. */
export function skipRemedies(view: CaseView, { run }: Pick<GateLook, 'run'>): Remedy[] {
  const { promotion, skips } = view.snapshot;
  const asked = skips.find((skip) => skip.gate === run.gate && isOpenSkip(skip));
  if (asked?.state === 'requested') {
    return [
      commandRemedy({
        text: `approve the skip that ${asked.requesterSubject} asked for: ${asked.reason}`,
        command: commandLine('promotion', 'approve', promotion.id, '--skip', run.gate),
        effect: 'steps around the gate once; leaves a debt',
        harm: 'high',
        needs: 'approver',
        needsApproval: true,
      }),
    ];
  }
  if (asked || !skippableGates(view.snapshot).includes(run.gate)) return [];
  return [
    commandRemedy({
      text: `skip gate ${run.gate} this once`,
      command: withReason(commandLine('promotion', 'gate', 'skip', promotion.id, run.gate)),
      effect: 'counts when another person approves; leaves a debt',
      harm: 'high',
      needs: 'operator',
      needsApproval: true,
    }),
  ];
}
