/**
 * How a registry is looked at: the connection by itself, then its answer to the very read that a promotion makes, as whom
 * we are declared to be there. So a look says what the next attempt would.
 */
import {
  type ArtifactSource,
  type Digest,
  isAppError,
  type ProbeCode,
  type ProbeStage,
  type ProbeStageName,
} from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import type { NetworkProbe } from '../ports/network-probe.ts';
import type { RegistryAccess, RegistryAccesses, RegistryLogin } from '../ports/registry-credentials.ts';
import type { Registry } from '../ports/registry.ts';
import { isAliveStatus, skippedStage } from './url-stages.ts';

export interface RegistryLookDeps {
  readonly network: NetworkProbe;
  readonly registry: Registry;
  readonly accesses: RegistryAccesses;
  readonly clock: Clock;
}

export interface RegistryLook {
  readonly source: Extract<ArtifactSource, { kind: 'registry' }>;
  /** Of an artifact that should be there. */
  readonly digest: Digest;
  readonly stageTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** `dns`, `tcp`, `tls`, `auth`, `answer`. Rejects only with what is no answer of the registry, such as of the database. */
export async function lookAtRegistry(deps: RegistryLookDeps, look: RegistryLook): Promise<readonly ProbeStage[]> {
  const { source, stageTimeoutMs, signal } = look;
  let access: RegistryAccess;
  try {
    access = await deps.accesses.accessTo(source.registry);
  } catch (error) {
    return unreadable(error);
  }
  const { stages, answer } = await deps.network.look({
    url: `${access.origin}/v2/`,
    method: 'GET',
    stageTimeoutMs,
    signal,
    ...(access.ca === null ? {} : { ca: access.ca }),
  });
  const before = (stage: ProbeStageName): ProbeStage => skippedStage(stage, 'not reached');
  if (answer === null) return [...stages, before('auth'), before('answer')];
  if (answer.kind === 'failure') return [...stages, before('auth'), answer.stage];
  const wrong = isAliveStatus(answer.status);
  if (wrong === null) return [...stages, ...(await readArtifact(deps, look, access.login))];
  const detail = `GET answered ${answer.status}: ${wrong}`;
  return [...stages, before('auth'), failed('answer', 'answer.status', { detail, durationMs: answer.durationMs })];
}

/** What is declared cannot be used: nothing was asked. */
function unreadable(error: unknown): readonly ProbeStage[] {
  const stages = (['dns', 'tcp', 'tls', 'auth', 'answer'] as const).map((stage) => skippedStage(stage, 'not reached'));
  const code = isAppError(error) ? UNREADABLE_CODES[error.code] : undefined;
  if (code === undefined) throw error;
  const detail = error instanceof Error ? error.message : String(error);
  const stage = code === 'auth.secret_missing' ? 'auth' : 'tls';
  return stages.map((one) => (one.stage === stage ? failed(stage, code, { detail, durationMs: 0 }) : one));
}

const UNREADABLE_CODES: Readonly<Record<string, ProbeCode>> = {
  'registry.credentials': 'auth.secret_missing',
  'registry.tls': 'tls.untrusted',
};

const REFUSALS: ReadonlySet<string> = new Set(['registry.credentials', 'registry.denied', 'registry.tls']);

async function readArtifact(
  { registry, clock }: RegistryLookDeps,
  { source, digest, stageTimeoutMs, signal }: RegistryLook,
  login: RegistryLogin | null,
): Promise<readonly ProbeStage[]> {
  const beganMs = clock.monotonicMs();
  const sinceMs = (): number => Math.round(clock.monotonicMs() - beganMs);
  const accepted: ProbeStage =
    login === null
      ? skippedStage('auth', 'no credential is declared; it lets anybody read')
      : { stage: 'auth', outcome: 'ok', durationMs: 0, code: null, detail: `${nameOf(login)} was accepted` };
  const late = clock.timeoutSignal(stageTimeoutMs);
  try {
    const { kind } = await registry.readDocument(source, digest, AbortSignal.any([signal, late]));
    const detail = `the ${kind} of its release is there`;
    return [accepted, { stage: 'answer', outcome: 'ok', durationMs: sinceMs(), code: null, detail }];
  } catch (error) {
    if (late.aborted) {
      const detail = `no answer within ${stageTimeoutMs} ms`;
      return [
        skippedStage('auth', 'not reached'),
        failed('answer', 'answer.timeout', { detail, durationMs: sinceMs() }),
      ];
    }
    const told = { detail: error instanceof Error ? error.message : String(error), durationMs: sinceMs() };
    if (!isAppError(error)) return [skippedStage('auth', 'not reached'), failed('answer', 'probe.error', told)];
    if (REFUSALS.has(error.code)) return [failed('auth', 'auth.refused', told), skippedStage('answer', 'not reached')];
    if (error.code === 'registry.artifact_missing') return [accepted, failed('answer', 'answer.missing', told)];
    return [skippedStage('auth', 'not reached'), failed('answer', 'answer.bad', told)];
  }
}

function nameOf(login: RegistryLogin): string {
  return 'username' in login ? `user "${login.username}"` : 'the declared token';
}

function failed(
  stage: ProbeStageName,
  code: ProbeCode,
  { detail, durationMs }: { readonly detail: string; readonly durationMs: number },
): ProbeStage {
  return { stage, outcome: 'failed', durationMs, code, detail };
}
