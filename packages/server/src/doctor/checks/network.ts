/**
 * One check per target and per gate that asks a service: name, connection, TLS, authentication, answer. A good report of
 * the last minute is taken as it is; else it is looked at now, and what is seen is told and not kept. All looks together
 * end in time: those whose turn does not come by then say so.
 */
import { failedStage, formatDuration, type ProbeReport, type ProbeStage, type ProbeStageName } from '@stella/domain';
import { readSettingsNow } from '../../ports/settings-now.ts';
import { type Lookable, lookablesOf } from '../../probes/probe-subjects.ts';
import { type Check, type CheckFact, type CheckFamily, type CheckFinding, type DoctorDeps, passed } from '../check.ts';

/** A report that is younger is as good as a look. */
const FRESH_MS = 60_000;
/** Below the deadline of a request. */
const WHOLE_LOOK_MS = 25_000;
/** Looks that one call of the doctor makes. */
const SUBJECTS_MAX = 200;
const DAY_MS = 86_400_000;
/** Time to get a new certificate by hand, with a holiday in it. */
const CERTIFICATE_DAYS_WARN = 21;

export const network: CheckFamily = {
  category: 'network',
  async list(deps, { mayProbe }) {
    const rows = await deps.reads.listEnvironments();
    const reports = await deps.probing.listProbes(null);
    const ending = deps.clock.timeoutSignal(WHOLE_LOOK_MS);
    const subjects = rows.flatMap((row) => lookablesOf(row, [])).slice(0, SUBJECTS_MAX);
    return subjects.map((lookable) => {
      const { kind, environment, name } = lookable.subject;
      const last = reports.find(
        ({ subject }) => subject.kind === kind && subject.environment === environment && subject.name === name,
      );
      return checkOf(lookable, { last: last ?? null, ending, isAllowed: mayProbe(environment) });
    });
  },
};

interface Looking {
  readonly last: ProbeReport | null;
  readonly ending: AbortSignal;
  readonly isAllowed: boolean;
}

/** `check.network.prod.web` of a target, `check.network.prod.gates.tests` of a gate. */
function checkOf(lookable: Lookable, looking: Looking): Check {
  const { kind, environment, name } = lookable.subject;
  const isGate = kind === 'gate';
  return {
    id: isGate ? `check.network.${environment}.gates.${name}` : `check.network.${environment}.${name}`,
    title: isGate
      ? `The service of gate ${name} of ${environment} answers`
      : `Target ${name} of ${environment} can be reached`,
    why: isGate
      ? 'promotions are held at a gate whose service cannot be asked'
      : 'no promotion passes its precheck while a target cannot be reached',
    look: (deps, signal) => look(deps, lookable, { looking, signal }),
  };
}

async function look(
  deps: DoctorDeps,
  lookable: Lookable,
  { looking: { last, ending, isAllowed }, signal }: { readonly looking: Looking; readonly signal: AbortSignal },
): Promise<CheckFinding> {
  const { clock, probing } = deps;
  if (last?.isOk === true && clock.nowMs() - last.atMs < FRESH_MS) return judge(last, clock.nowMs());
  if (probing.prober === null) return skipped('only the orchestrator itself can look at it', last, clock.nowMs());
  if (!isAllowed) return skipped('to look at it wants the role releaser, approver or operator', last, clock.nowMs());
  if (ending.aborted) return skipped('no time was left to look at it', last, clock.nowMs());
  const settings = await readSettingsNow(deps);
  const [report] = await probing.prober.probe([lookable], {
    stageTimeoutMs: settings['probe.timeout'],
    signal: AbortSignal.any([signal, ending]),
  });
  return report ? judge(report, clock.nowMs()) : skipped('nobody has looked', last, clock.nowMs());
}

function judge(report: ProbeReport, nowMs: number): CheckFinding {
  const facts = [...report.stages.filter(({ outcome }) => outcome !== 'skipped').map(factOf), ageOf(report, nowMs)];
  const failed = failedStage(report);
  if (failed) {
    const message = `${failed.stage}: ${failed.detail}`;
    return { status: 'fail', message, facts, remedy: { text: cureOf(failed), command: commandFor(report) } };
  }
  const expiry = report.stages.find(({ expiresAtMs }) => expiresAtMs !== undefined)?.expiresAtMs ?? null;
  if (expiry !== null && expiry - nowMs < CERTIFICATE_DAYS_WARN * DAY_MS) {
    const message = `its certificate ends in ${formatDuration(Math.max(0, Math.floor((expiry - nowMs) / DAY_MS)) * DAY_MS)}`;
    return { status: 'warn', message, facts, remedy: { text: 'renew its certificate', command: commandFor(report) } };
  }
  const tookMs = report.stages.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return passed(`answers in ${formatDuration(tookMs)}`, facts);
}

function skipped(message: string, last: ProbeReport | null, nowMs: number): CheckFinding {
  const facts = last === null ? [] : [{ what: 'last report', value: wordsOf(last) }, ageOf(last, nowMs)];
  return { status: 'skip', message, facts, remedy: null };
}

function wordsOf(report: ProbeReport): string {
  const failed = failedStage(report);
  return failed === null ? 'all was well' : `${failed.stage}: ${failed.detail}`;
}

function factOf({ stage, outcome, durationMs, detail }: ProbeStage): CheckFact {
  return { what: stage, value: `${outcome} in ${durationMs} ms: ${detail}` };
}

function ageOf({ atMs }: ProbeReport, nowMs: number): CheckFact {
  const ageMs = Math.max(0, Math.floor((nowMs - atMs) / 1_000) * 1_000);
  return { what: 'looked at', value: ageMs === 0 ? 'now' : `${formatDuration(ageMs)} ago` };
}

const CURES: Readonly<Record<ProbeStageName, string>> = {
  path: 'make the directory on the machine of the orchestrator, or correct it in the definition',
  rights: 'let the user of the orchestrator write there',
  engine: 'start the engine there, and let the user of the orchestrator use its socket',
  version: 'update what runs there',
  disk: 'make room on its disk',
  fence: 'see what became of the directory .stella in there',
  dns: 'correct the host in the definition, or the name server',
  tcp: 'start what should listen there, or open the way to it',
  host_key: 'compare with what "ssh-keygen -lf" says on the host itself, then correct hostKey or knownHosts',
  programs: 'install them on the host',
  tls: 'renew its certificate, or let this machine trust its authority',
  auth: 'renew the credential, or let it in there',
  answer: 'see what the service itself says',
};

const CURES_BY_CODE: Readonly<Record<string, string>> = {
  'path.forbidden': 'add its directory to STELLA_TARGET_DIRECTORIES, and restart the orchestrator',
  'engine.forbidden': 'add its socket to STELLA_ENGINE_SOCKETS, and restart the orchestrator',
  'engine.in_the_way': 'rename the container that has its name, or give the target another',
  'tcp.forbidden': 'add its range to STELLA_OUTGOING_ALLOW, and restart the orchestrator',
};

function cureOf({ stage, code }: ProbeStage): string {
  return `${CURES_BY_CODE[code ?? ''] ?? CURES[stage]}; then look again`;
}

function commandFor({ subject: { kind, environment, name }, stages }: ProbeReport): string {
  if (failedStage({ stages })?.stage === 'auth') return `stella orch credentials verify --target ${environment}`;
  if (kind === 'gate') return `stella orch connectivity --gate ${name} --env ${environment}`;
  return `stella orch connectivity --target ${environment}`;
}
