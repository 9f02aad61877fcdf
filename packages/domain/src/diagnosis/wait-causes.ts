/** Legitimate waits at the gates: for a person, for a time; and those that can never end well. */
import { quotaLimitsOf, quotaWindow } from '../environment/quota.ts';
import type { ApprovalGateDefinition } from '../environment/environment-definition.ts';
import { gateNamed } from '../environment/freeze.ts';
import { personOf } from '../identity/actor.ts';
import { isAllowed } from '../identity/authorize.ts';
import { countApprovals } from '../promotion/decide/approvals.ts';
import { currentGateRuns, isSettled } from '../promotion/decide/gate-runs.ts';
import { BASE_CHANGED } from '../promotion/decide/rebase.ts';
import type { GateRun } from '../promotion/promotion.ts';
import { toRfc3339 } from '../values/instant.ts';
import {
  type CaseView,
  commandRemedy,
  externalRemedy,
  type FindCauses,
  makeCause,
  makeFact,
  waitRemedy,
} from './case-view.ts';
import { commandLine } from './command-line.ts';
import type { Cause, Fact, Remedy } from './diagnosis.ts';
import type { Approver } from './diagnosis-snapshot.ts';
import { skipRemedies } from './gate-remedies.ts';
import { soakCause } from './soak-causes.ts';

/** So many names tell whom to ask. */
const NAMES_MAX = 5;

export const findWaitCauses: FindCauses = (view) => {
  const { promotion } = view.snapshot;
  if (view.isEnded) return [];
  const causes = [...pendingSkips(view), ...quotaCauses(view)];
  if (promotion.step !== 'evaluate_gates') return causes;
  for (const run of currentGateRuns(view.snapshot)) {
    // Also the gate of a freeze, which no definition has.
    const gate = gateNamed(promotion.definition, run.gate);
    if (!gate || isSettled(run)) continue;
    if (gate.kind === 'approval') causes.push(approvalCause(view, gate, run));
    if (gate.kind === 'soak') causes.push(soakCause(view, gate, run));
    if (gate.kind === 'window') causes.push(elsewhereCause(view, 'window.closed', run));
    if (gate.kind === 'dependency') causes.push(elsewhereCause(view, 'dependency.pending', run));
  }
  return causes;
};

function pendingSkips(view: CaseView): Cause[] {
  const { promotion, skips } = view.snapshot;
  return skips
    .filter((skip) => skip.state === 'requested')
    .map((skip) =>
      makeCause(view, 'skip.pending', {
        confidence: 'certain',
        facts: [
          makeFact(
            'promotion',
            `skip of ${skip.gate}`,
            `asked for by ${skip.requesterSubject}: ${skip.reason}`,
            skip.requestedAtMs,
          ),
        ],
        remedies: [
          waitRemedy({
            text: 'a second person, neither who asked nor who requested the promotion, approves it',
            command: commandLine('promotion', 'approve', promotion.id, '--skip', skip.gate),
            effect: 'steps around the gate once; leaves a debt',
            harm: 'high',
            needs: 'approver',
            needsApproval: true,
            untilMs: gateEndsAtMs(view, skip.gate),
          }),
        ],
      }),
    );
}

/** It keeps its place in the queue; what it waits for stands in the message of its step. */
function quotaCauses(view: CaseView): Cause[] {
  const { promotion, environment, settings, steps } = view.snapshot;
  const { quotaWait } = promotion;
  if (quotaWait === null) return [];
  const run = steps.find(({ step }) => step === 'acquire_locks');
  const limit = quotaLimitsOf(environment, settings)[quotaWait];
  const zone = environment.quotas?.timeZone ?? 'UTC';
  const untilMs = quotaWait === 'inProgress' ? null : quotaWindow(quotaWait, zone, view.nowMs).untilMs;
  const facts = [makeFact('promotion', quotaWait, run?.message ?? 'is used up', run?.startedAtMs ?? view.nowMs)];
  const wait = waitRemedy({
    text: untilMs === null ? 'it starts when one in progress ends' : 'it starts when starts are counted anew',
    effect: 'it keeps its place in the queue, and holds no lock',
    untilMs,
  });
  const flags = { perHour: '--per-hour', perDay: '--per-day', inProgress: '--in-progress' } as const;
  const raise = ['orch', 'quota', 'limits', 'set', '--env', promotion.environment, flags[quotaWait]];
  const sooner = commandRemedy({
    text: 'or let one more start, when there is a good reason',
    command: limit === null ? null : commandLine(...raise, String(limit + 1)),
    effect: 'counts at once, for the first in the queue, until the limit is set again',
    harm: 'low',
    needs: 'operator',
  });
  return [makeCause(view, 'quota.exhausted', { confidence: 'certain', facts, remedies: [wait, sooner] })];
}

/** When it fails without: the end of its hold, or its deadline. */
function gateEndsAtMs({ snapshot }: CaseView, gate: string): number | null {
  const run = currentGateRuns(snapshot).find((one) => one.gate === gate);
  return run?.heldUntilMs ?? run?.deadlineAtMs ?? null;
}

function approvalCause(view: CaseView, gate: ApprovalGateDefinition, run: GateRun): Cause {
  const entitled = entitledAt(view, gate);
  const count = countApprovals(view.snapshot, gate, run.id);
  if (entitled !== null && entitled.length < gate.count) return noApprover(view, gate, entitled);
  const changed = view.snapshot.gateRuns.findLast(
    (one) => one.gate === run.gate && one.state === 'expired' && one.message.startsWith(`${BASE_CHANGED}: `),
  );
  const facts: Fact[] = [
    makeFact('promotion', `gate ${run.gate}`, `${count} of ${gate.count} approved`, run.startedAtMs ?? view.nowMs),
    ...whoMay(view, entitled),
  ];
  if (changed) {
    const difference = changed.message.slice(BASE_CHANGED.length + 2);
    const fact = makeFact(
      'environment',
      view.snapshot.promotion.environment,
      difference,
      run.startedAtMs ?? view.nowMs,
    );
    return makeCause(view, 'base.changed', {
      confidence: 'certain',
      facts: [fact, ...facts],
      remedies: decideRemedies(view, run),
    });
  }
  return makeCause(view, 'approval.pending', { confidence: 'certain', facts, remedies: decideRemedies(view, run) });
}

function decideRemedies(view: CaseView, run: GateRun): Remedy[] {
  const { promotion } = view.snapshot;
  return [
    waitRemedy({
      text: 'a person with the role approver, who did not request it, decides',
      command: commandLine('promotion', 'approve', promotion.id, '--gate', run.gate),
      effect: `the gate passes; without a decision until ${run.deadlineAtMs === null ? 'its deadline' : toRfc3339(run.deadlineAtMs)} the promotion fails`,
      needs: 'approver',
      untilMs: run.deadlineAtMs,
    }),
  ];
}

/** Null: nobody has looked who may. */
function entitledAt({ whole, snapshot }: CaseView, gate: ApprovalGateDefinition): readonly Approver[] | null {
  const { promotion } = snapshot;
  const requester = personOf(promotion.requestedBy);
  return (
    whole.approvers?.filter(
      ({ personId, subject, bindings }) =>
        personId !== requester &&
        (gate.group === null || gate.group.includes(subject)) &&
        isAllowed(bindings, 'promotion.approve', promotion.environment),
    ) ?? null
  );
}

function whoMay({ nowMs }: CaseView, entitled: readonly Approver[] | null): Fact[] {
  if (entitled === null) return [];
  const names = entitled.map((one) => one.subject).sort();
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : '';
  return [makeFact('people', 'may approve', `${names.slice(0, NAMES_MAX).join(', ')}${more}`, nowMs)];
}

function noApprover(view: CaseView, gate: ApprovalGateDefinition, entitled: readonly Approver[]): Cause {
  const { environment } = view.snapshot.promotion;
  const names =
    entitled.length === 0
      ? 'nobody'
      : entitled
          .map((one) => one.subject)
          .sort()
          .join(', ');
  const facts = [
    makeFact(
      'people',
      `gate ${gate.name}`,
      `wants ${gate.count}, and besides the requester may approve: ${names}`,
      view.nowMs,
    ),
  ];
  const unknown = gate.group?.filter((subject) => !entitled.some((one) => one.subject === subject)) ?? [];
  if (unknown.length > 0) {
    const value = `of its group, not enrolled, without the role, or the requester: ${unknown.slice(0, NAMES_MAX).join(', ')}`;
    facts.push(makeFact('definition', `gate ${gate.name}`, value, view.nowMs));
  }
  const wanted = unknown.find((subject) => view.whole.approvers?.every((one) => one.subject !== subject));
  return makeCause(view, 'gate.no_approver', {
    confidence: 'certain',
    facts,
    remedies: [
      commandRemedy({
        text: `enrol one more person who may approve${wanted === undefined ? '; replace SUBJECT by the name' : ''}`,
        command: commandLine('auth', 'person', 'create', wanted ?? 'SUBJECT', '--role', `approver@${environment}`),
        effect: `the person redeems the code, then decides with: ${commandLine('promotion', 'approve', view.snapshot.promotion.id, '--gate', gate.name) ?? ''}`,
        needs: 'admin',
      }),
      externalRemedy({
        text: `or want fewer at gate ${gate.name} in the definition, apply it, cancel this promotion and start another`,
        command: commandLine('promotion', 'cancel', view.snapshot.promotion.id),
        effect: 'a promotion keeps the definition that it began with',
        harm: 'low',
        needs: 'releaser',
      }),
    ],
  });
}

/** It passes by itself as soon as what it says holds; what it waits for stands in its message. */
function elsewhereCause(view: CaseView, code: 'window.closed' | 'dependency.pending', run: GateRun): Cause {
  const deadline = run.deadlineAtMs === null ? 'its deadline' : toRfc3339(run.deadlineAtMs);
  const wait = waitRemedy({
    text: 'it passes by itself as soon as that holds',
    effect: `without it the promotion fails at ${deadline}`,
    untilMs: run.dueAtMs ?? run.deadlineAtMs,
  });
  return makeCause(view, code, {
    confidence: 'certain',
    facts: [
      makeFact('promotion', `gate ${run.gate}`, run.message || 'does not hold yet', run.startedAtMs ?? view.nowMs),
    ],
    remedies: [wait, ...skipRemedies(view, { run })],
  });
}
