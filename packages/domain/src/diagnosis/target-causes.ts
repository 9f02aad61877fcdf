/** Targets and the registry: what their last answers in the step that it stands in, or ended in, say. */
import { promisedDigestOf } from '../environment/target-components.ts';
import { hostOf } from '../environment/target-places.ts';
import type { Attempt, AttemptPurpose, AttemptResult, Promotion } from '../promotion/promotion.ts';
import { boundBaseOf } from '../promotion/scope.ts';
import type { Step } from '../promotion/status.ts';
import { formatDuration } from '../values/duration.ts';
import {
  type CaseView,
  type CommandDraft,
  externalRemedy,
  type FindCauses,
  makeCause,
  makeFact,
  renewal,
  resumption,
  waitRemedy,
  wholeSeconds,
} from './case-view.ts';
import type { CauseCode } from './causes.ts';
import { commandLine } from './command-line.ts';
import type { Cause, Fact, Remedy } from './diagnosis.ts';
import { failedStage, type ProbeReport } from './probe-report.ts';

/** What a step asks of targets and artifacts, the last asked first. */
const PURPOSES_BY_STEP: Readonly<Partial<Record<Step, readonly AttemptPurpose[]>>> = {
  precheck: ['precheck_target', 'precheck_artifact'],
  preflight: ['preflight_target', 'preflight_artifact'],
  deploy: ['deploy', 'seal', 'batch_verify'],
  verify: ['verify'],
  rollback: ['rollback_verify', 'rollback', 'verify', 'batch_verify', 'deploy'],
};

const WAY_FORWARD: readonly AttemptPurpose[] = ['verify', 'batch_verify', 'deploy'];

const CAUSE_BY_CODE: Readonly<Record<string, CauseCode>> = {
  'target.directory_forbidden': 'target.misconfigured',
  'target.program_forbidden': 'target.misconfigured',
  'target.program_missing': 'target.misconfigured',
  'target.credentials': 'target.credentials',
  'target.host_key': 'target.host_key',
  'target.denied': 'target.credentials',
  'target.disk_full': 'target.disk_full',
  'target.busy': 'target.busy',
  'target.fence_stale': 'target.fence_stale',
  'target.engine_down': 'target.engine_down',
  'target.engine_forbidden': 'target.misconfigured',
  'target.engine_refused': 'target.misconfigured',
  'target.in_the_way': 'target.misconfigured',
  'target.compose_failed': 'target.misconfigured',
  'target.source_unfit': 'artifact.refused',
  'target.secret_missing': 'target.credentials',
  'target.unhealthy': 'target.unhealthy',
  'target.wrong_digest': 'target.wrong_digest',
  'target.unpack_refused': 'artifact.refused',
  'registry.unreachable': 'registry.unreachable',
  'registry.denied': 'registry.credentials',
  'registry.credentials': 'registry.credentials',
  'registry.tls': 'registry.tls',
  'registry.directory_forbidden': 'registry.misconfigured',
  'registry.artifact_missing': 'registry.artifact_missing',
  'registry.digest_mismatch': 'registry.digest_mismatch',
  'registry.bad_manifest': 'artifact.refused',
  'registry.limit': 'artifact.refused',
};

/** Says nothing about the target: the worker lost its claim, and the operation is looked up. */
const SILENT_CODES: ReadonlySet<string> = new Set(['worker.claim_lost']);

interface TargetTrouble {
  readonly attempt: Attempt;
  readonly result: AttemptResult;
  readonly code: CauseCode;
  readonly probe: ProbeReport | null;
}

export const findTargetCauses: FindCauses = (view) => {
  const troubles = lastAnswers(view).flatMap((attempt) => troubleOf(view, attempt));
  const byCode = new Map<CauseCode, TargetTrouble[]>();
  for (const trouble of troubles) byCode.set(trouble.code, [...(byCode.get(trouble.code) ?? []), trouble]);
  const known = [...byCode].map(([code, same]) => troubleCause(view, code, same));
  return known.length > 0 ? known : slowOperations(view);
};

function isOfArtifact(purpose: AttemptPurpose): boolean {
  return purpose === 'precheck_artifact' || purpose === 'preflight_artifact';
}

/** What was brought back is well: what went wrong before that is to be mended before the next try. */
function purposesOf({ step, status }: Promotion): readonly AttemptPurpose[] {
  return (status === 'rolled_back' ? WAY_FORWARD : PURPOSES_BY_STEP[step]) ?? [];
}

/** Of each target and component the newest answer in this step. */
function lastAnswers(view: CaseView): Attempt[] {
  const { snapshot } = view;
  const purposes = purposesOf(snapshot.promotion);
  const last = new Map<string, Attempt>();
  for (const purpose of purposes) {
    for (const attempt of snapshot.attempts.filter((one) => one.purpose === purpose && one.result !== null)) {
      const key = isOfArtifact(purpose) ? `artifact ${attempt.subject}` : `target ${attempt.subject}`;
      const known = last.get(key);
      if (!known || known.startedAtMs <= attempt.startedAtMs) last.set(key, attempt);
    }
  }
  return [...last.values()].filter((attempt) => !isFirstSlip(attempt, view));
}

/**
 * What is tried again by itself. An operation, as soon as the next try is under way. A probe of the precheck only when the first
 * one ended without a word: a machine that is overloaded, and a server that is started again, cut off probes of targets
 * that are well. What is really silent says so at the next one.
 */
function isFirstSlip(attempt: Attempt, view: CaseView): boolean {
  const { purpose, subject, number } = attempt;
  if (view.isStalled || number > 1) return false;
  if (purpose === 'precheck_target' || purpose === 'precheck_artifact')
    return !view.isEnded && isWordless(view, attempt);
  return view.snapshot.attempts.some(
    (one) => one.purpose === purpose && one.subject === subject && one.result === null,
  );
}

/** The call was over before anybody could say what is wrong: it ran out of time, or was given up. */
const WORDLESS_CODES: ReadonlySet<string> = new Set(['target.interrupted', 'request.timeout']);

/**
 * A network that does not answer is a word; programs and disks that take their time are none. A later probe, which anybody may
 * start, takes no word back.
 */
function isWordless(view: CaseView, attempt: Attempt): boolean {
  if (CAUSE_BY_CODE[attempt.result?.code ?? ''] !== undefined) return false;
  const probe = probeOf(view, attempt);
  const failed = probe && failedStage(probe);
  if (failed) return failed.code === 'probe.timeout' && failed.stage !== 'dns' && failed.stage !== 'tcp';
  return WORDLESS_CODES.has(attempt.result?.code ?? '');
}

function troubleOf(view: CaseView, attempt: Attempt): TargetTrouble[] {
  const { result } = attempt;
  if (result === null || SILENT_CODES.has(result.code) || isCutOff(view, attempt)) return [];
  if (result.outcome === 'succeeded') {
    const code: CauseCode = 'target.wrong_digest';
    return isOtherDigest(view, attempt) ? [{ attempt, result, code, probe: null }] : [];
  }
  // The environment is stopped for it, which is told by its own name.
  if (result.outcome === 'refused' && view.snapshot.environment.stop !== null) return [];
  const probe = probeOf(view, attempt);
  const silent = isOfArtifact(attempt.purpose) ? 'registry.unreachable' : causeByProbe(probe);
  return [{ attempt, result, code: CAUSE_BY_CODE[result.code] ?? silent, probe }];
}

/** What the engine breaks off by a cancel; a rollback goes on. */
function isForward(purpose: AttemptPurpose): boolean {
  return purpose === 'deploy' || purpose === 'batch_verify' || purpose === 'verify';
}

/** A cancel breaks off what is under way: that it did not end says nothing about the target. */
function isCutOff({ snapshot }: CaseView, { purpose, result }: Attempt): boolean {
  const { cancelRequestedAtMs } = snapshot.promotion;
  if (cancelRequestedAtMs === null || result?.code !== 'target.interrupted') return false;
  return isForward(purpose) && result.endedAtMs >= cancelRequestedAtMs;
}

function isOtherDigest({ snapshot }: CaseView, { purpose, subject, result }: Attempt): boolean {
  if (purpose !== 'verify' && purpose !== 'batch_verify' && purpose !== 'rollback_verify') return false;
  const release = purpose === 'rollback_verify' ? boundBaseOf(snapshot) : snapshot.release;
  const target = snapshot.promotion.definition.targets.find((one) => one.name === subject);
  const promised = target ? promisedDigestOf(target, release) : null;
  return promised !== null && result?.digest !== promised;
}

/** The newest probe of the same target, when it failed and is not older than the answer. */
function probeOf({ whole, snapshot }: CaseView, { subject, purpose, startedAtMs }: Attempt): ProbeReport | null {
  if (isOfArtifact(purpose)) return null;
  const { environment } = snapshot.promotion;
  const found = whole.probes.find(
    (probe) =>
      probe.subject.kind === 'target' && probe.subject.environment === environment && probe.subject.name === subject,
  );
  return found && !found.isOk && found.atMs >= startedAtMs ? found : null;
}

function causeByProbe(probe: ProbeReport | null): CauseCode {
  const code = probe ? (failedStage(probe)?.code ?? '') : '';
  if (code === 'path.forbidden' || code === 'programs.missing') return 'target.misconfigured';
  if (code === 'engine.forbidden' || code === 'engine.in_the_way') return 'target.misconfigured';
  if (code === 'engine.denied') return 'target.credentials';
  if (code === 'engine.down') return 'target.engine_down';
  if (code.startsWith('rights.') || code.startsWith('auth.')) return 'target.credentials';
  if (code.startsWith('host_key.')) return 'target.host_key';
  return code === 'disk.full' ? 'target.disk_full' : 'target.unreachable';
}

/** Subjects that a cause tells of, and that a sentence names; the others are counted, and the trace has all. */
const TOLD_MAX = 10;

function troubleCause(view: CaseView, code: CauseCode, troubles: readonly TargetTrouble[]): Cause {
  return makeCause(view, code, {
    confidence: 'certain',
    facts: [...troubles.slice(0, TOLD_MAX).flatMap(troubleFacts), ...othersFacts(troubles), ...precheckFacts(view)],
    remedies: troubleRemedies(view, code, troubles),
  });
}

function troubleFacts({ attempt, result, probe, code }: TargetTrouble): Fact[] {
  const what = isOfArtifact(attempt.purpose) ? `artifact ${attempt.subject}` : `target ${attempt.subject}`;
  const words =
    result.message || (code === 'target.wrong_digest' ? `reports ${result.digest ?? 'nothing'}` : result.outcome);
  const value = `${attempt.purpose} ${attempt.number}: ${words}${result.code === '' ? '' : ` (${result.code})`}`;
  const facts = [makeFact('attempts', what, value, result.endedAtMs)];
  const failed = probe ? failedStage(probe) : null;
  if (probe && failed)
    facts.push(makeFact('probe', what, `${failed.stage}: ${failed.detail} (${failed.code ?? ''})`, probe.atMs));
  return facts;
}

function othersFacts(troubles: readonly TargetTrouble[]): Fact[] {
  const others = troubles.slice(TOLD_MAX);
  if (others.length === 0) return [];
  const lastEndMs = Math.max(...others.map(({ result }) => result.endedAtMs));
  return [makeFact('attempts', `${others.length} more`, namesOf(others.map(({ attempt }) => attempt)), lastEndMs)];
}

/** `web-1, web-2 and 15 more` */
function namesOf(attempts: readonly Attempt[]): string {
  const names = [...new Set(attempts.map(({ subject }) => subject))];
  const more = names.length - TOLD_MAX;
  return `${names.slice(0, TOLD_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function precheckFacts(view: CaseView): Fact[] {
  const holdEndsAtMs = precheckHoldEndsAtMs(view);
  if (holdEndsAtMs === null) return [];
  return [makeFact('promotion', 'precheck', 'is repeated until this moment, then the promotion fails', holdEndsAtMs)];
}

function precheckHoldEndsAtMs({ snapshot, isEnded }: CaseView): number | null {
  const run = snapshot.steps.find((step) => step.step === 'precheck');
  if (isEnded || snapshot.promotion.step !== 'precheck' || !run || run.startedAtMs === null) return null;
  return run.startedAtMs + snapshot.settings['precheck.holdFor'];
}

const MENDING: Readonly<Partial<Record<CauseCode, string>>> = {
  'target.misconfigured':
    'correct the definition and apply it, or allow what it names in STELLA_TARGET_DIRECTORIES, STELLA_COMMAND_DIRECTORIES or STELLA_ENGINE_SOCKETS and start the server again',
  'target.credentials':
    'give the user of the server the rights to write there, or the secret that it names; over SSH, let its key in',
  'target.host_key':
    'compare with what "ssh-keygen -lf" says on the host itself; only when its key was really changed, correct hostKey or knownHosts',
  'target.disk_full': 'free space on the disk',
  'target.engine_down': 'start the engine on its host, or open the way to it',
  'target.unreachable': 'mend what it names',
  'target.busy':
    'end what holds its lock beside Stella, whose own operations give it to newer ones: on its host, lslocks names it by apply.lock',
  'target.unhealthy': 'look into the log of what runs there, and at its health check',
  'target.wrong_digest': 'find out who changes what runs there beside Stella',
  'target.fence_stale': 'look at what runs there: a newer operation owns the target',
  'registry.unreachable': 'start the registry, or open the way to it',
  'registry.credentials':
    'allow reading there, or correct who we are there: its document of kind Registry, or the secret that it names',
  'registry.tls':
    'name its authority in its document of kind Registry (ca: file:…), or give it a certificate that is trusted',
  'registry.misconfigured': 'allow the directory in STELLA_LAYOUT_DIRECTORIES and start the server again',
  'registry.artifact_missing': 'push the artifact again',
  'registry.digest_mismatch': 'repair the registry: what it sends is not what was released; do not use the artifact',
  'artifact.refused': 'build the artifact anew without what it names, and release it',
};

function troubleRemedies(view: CaseView, code: CauseCode, troubles: readonly TargetTrouble[]): Remedy[] {
  const { environment } = view.snapshot.promotion;
  const names = namesOf(troubles.map(({ attempt }) => attempt));
  const verb =
    code === 'target.credentials' || code === 'registry.credentials' ? ['credentials', 'verify'] : ['connectivity'];
  const check = commandLine('orch', ...verb, '--target', environment) ?? '';
  const text = `${MENDING[code] ?? 'mend what it names'} (${names}); check it with: ${check}`;
  const mending = externalRemedy({ text, ...resumptionAfter(view, code, troubles) });
  if (code !== 'target.busy' || view.isEnded) return [mending];
  const untilMs = view.snapshot.promotion.deployDeadlineAtMs ?? precheckHoldEndsAtMs(view);
  const effect = 'it is tried again by itself, three times in all';
  return [mending, waitRemedy({ text: 'whoever holds it may be done by then', effect, untilMs })];
}

/** An artifact never changes, and a promotion keeps its definition: after their correction another promotion is made. */
function resumptionAfter(
  view: CaseView,
  code: CauseCode,
  troubles: readonly TargetTrouble[],
): Pick<CommandDraft, 'command' | 'effect' | 'needs'> {
  if (code === 'target.misconfigured' || (code === 'target.host_key' && isPinned(view, troubles))) return renewal(view);
  if (code !== 'artifact.refused') return resumption(view);
  const { id, environment } = view.snapshot.promotion;
  return {
    command: view.isEnded ? null : commandLine('promotion', 'cancel', id),
    effect: `this release can never be promoted; promote the new one with: stella promotion create --release … --to ${environment}`,
    needs: view.isEnded ? null : 'releaser',
  };
}

/** By the definition, which a promotion keeps; a file of known hosts is read anew each time. */
function isPinned({ snapshot }: CaseView, troubles: readonly TargetTrouble[]): boolean {
  const { targets } = snapshot.promotion.definition;
  return troubles.some(({ attempt }) =>
    targets.some((one) => one.name === attempt.subject && hostOf(one)?.ssh.hostKey !== undefined),
  );
}

/** Nothing has failed, but an operation runs for longer than a stall. */
function slowOperations(view: CaseView): Cause[] {
  const purposes = PURPOSES_BY_STEP[view.snapshot.promotion.step] ?? [];
  const open = view.snapshot.attempts.filter((one) => one.result === null && purposes.includes(one.purpose));
  const [oldest] = open;
  if (!view.isStalled || view.isEnded || !oldest) return [];
  const { promotion } = view.snapshot;
  const facts = open.slice(0, 5).map((one) => {
    const age = formatDuration(wholeSeconds(Math.max(0, view.nowMs - one.startedAtMs)));
    return makeFact(
      'attempts',
      `target ${one.subject}`,
      `${one.purpose} ${one.number} runs for ${age}`,
      one.startedAtMs,
    );
  });
  const untilMs = promotion.deployDeadlineAtMs ?? oldest.deadlineAtMs;
  const cause = makeCause(view, 'target.slow', {
    confidence: 'certain',
    facts,
    remedies: [
      externalRemedy({
        text: `look at disk and network of ${namesOf(open)}; check with: ${commandLine('orch', 'connectivity', '--target', promotion.environment) ?? ''}`,
        command: commandLine('promotion', 'status', promotion.id),
        effect: 'the operation goes on by itself, and ends by its deadline',
        needs: 'viewer',
      }),
      waitRemedy({
        text: `its deadline ends it; then onFailure (${promotion.definition.onFailure}) applies. Sooner: cancel it`,
        command: promotion.cancelRequestedAtMs === null ? commandLine('promotion', 'cancel', promotion.id) : null,
        effect: `onFailure (${promotion.definition.onFailure}) applies to what was changed`,
        harm: 'low',
        needs: 'releaser',
        untilMs,
      }),
    ],
  });
  return [cause];
}
