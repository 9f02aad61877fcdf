/** What of an environment can be looked at from outside, and how each kind is looked at. */
import {
  type ArtifactSource,
  type CommandGateDefinition,
  type Digest,
  formatSource,
  hostOf,
  type HttpGateDefinition,
  isAppError,
  isOverNetwork,
  type NetworkHealthCheck,
  type ProbeCode,
  type ProbeStage,
  type ProbeSubject,
  type RegistryDefinition,
  registrySecretOf,
  type Release,
  type TargetDefinition,
} from '@stella/domain';
import type { NetworkProbe } from '../ports/network-probe.ts';
import type { EnvironmentRow } from '../ports/read-store.ts';
import type { Secrets } from '../ports/secrets.ts';
import type { OpenTarget } from '../ports/target.ts';
import { lookAtRegistry, type RegistryLookDeps } from './look-at-registry.ts';
import { isAliveStatus, isGoodStatus, lookAtUrl, skippedStage } from './url-stages.ts';

export interface SubjectDeps extends RegistryLookDeps {
  readonly openTarget: OpenTarget;
  readonly secrets: Pick<Secrets, 'read'>;
  /** Where the program of a gate is, or why it is not run. */
  readonly findProgram: (
    gate: CommandGateDefinition,
  ) => Promise<
    { readonly isThere: true } | { readonly isThere: false; readonly code: string; readonly message: string }
  >;
}

export interface LookCall {
  readonly stageTimeoutMs: number;
  /** Aborts when the whole probe is over. */
  readonly signal: AbortSignal;
}

export interface Lookable {
  readonly subject: ProbeSubject;
  /** Of the secret that the definition names for it; absent: none. */
  readonly reference?: string;
  /** Never rejects. */
  readonly look: (deps: SubjectDeps, call: LookCall) => Promise<readonly ProbeStage[]>;
}

/** Targets first, then gates that ask a service, then the registries of `releases`, with what is declared of them. */
export function lookablesOf(
  { definition, status }: EnvironmentRow,
  releases: readonly Release[],
  declared: readonly RegistryDefinition[] = [],
): readonly Lookable[] {
  const environment = definition.name;
  const hasRelease = status.releaseId !== null;
  return [
    ...definition.targets.map(
      (target): Lookable => ({
        subject: { kind: 'target', environment, name: target.name },
        ...keyOf(target),
        look: (deps, call) => lookAtTarget(deps, call, { target, environment, hasRelease }),
      }),
    ),
    ...definition.gates.flatMap((gate): readonly Lookable[] =>
      gate.kind === 'http'
        ? [
            {
              subject: { kind: 'gate', environment, name: gate.name },
              ...(gate.callback && { reference: gate.callback.secret }),
              look: (deps, call) => lookAtGate(deps, call, gate),
            },
          ]
        : gate.kind === 'command'
          ? [{ subject: { kind: 'gate', environment, name: gate.name }, look: (deps) => lookAtProgram(deps, gate) }]
          : [],
    ),
    ...registriesOf(environment, releases, declared),
  ];
}

function keyOf(target: TargetDefinition): Pick<Lookable, 'reference'> {
  const reference = hostOf(target)?.ssh.key;
  return reference === undefined ? {} : { reference };
}

async function lookAtTarget(
  { openTarget, network }: SubjectDeps,
  call: LookCall,
  {
    target,
    environment,
    hasRelease,
  }: { readonly target: TargetDefinition; readonly environment: string; readonly hasRelease: boolean },
): Promise<readonly ProbeStage[]> {
  const { stages } = await openTarget(target, environment).probe({
    signal: call.signal,
    timeoutMs: call.stageTimeoutMs,
  });
  // An engine tells it with the rest, when a container runs there; of a program the target tells that it may be run.
  if (!isOverNetwork(target.health)) return stages;
  if (!hasRelease) return [...stages, skippedStage('answer', 'nothing was deployed yet, so its health is not asked')];
  return [...stages, ...(await lookAtHealth(network, call, target.health))];
}

function lookAtHealth(
  network: NetworkProbe,
  call: LookCall,
  health: NetworkHealthCheck,
): Promise<readonly ProbeStage[]> {
  if (health.kind === 'tcp') return network.connect({ address: health.address, port: health.port, ...call });
  const { url, expectStatus } = health;
  const judge = (status: number): string | null =>
    status === expectStatus ? null : `its health check expects ${expectStatus}`;
  return lookAtUrl(network, { url, method: 'GET', ...call }, { judge, hasCredential: false });
}

async function lookAtGate(deps: SubjectDeps, call: LookCall, gate: HttpGateDefinition): Promise<readonly ProbeStage[]> {
  const stages = await lookAtService(deps, call, gate);
  if (gate.callback === undefined) return stages;
  const secret = await deps.secrets.read(gate.callback.secret);
  // It signs and is no credential that a probe shows: whether it is the service's own is seen by its first callback.
  const auth: ProbeStage = secret.isThere
    ? { stage: 'auth', outcome: 'ok', durationMs: 0, code: null, detail: `${gate.callback.secret} can be read` }
    : { stage: 'auth', outcome: 'failed', durationMs: 0, code: 'auth.secret_missing', detail: secret.message };
  const isRefused = stages.some(({ stage, outcome }) => stage === 'auth' && outcome === 'failed');
  return isRefused ? stages : stages.map((stage) => (stage.stage === 'auth' ? auth : stage));
}

/** That it is there and may be run is all that can be seen without running it. */
async function lookAtProgram(
  { findProgram, clock }: SubjectDeps,
  gate: CommandGateDefinition,
): Promise<readonly ProbeStage[]> {
  const beganMs = clock.monotonicMs();
  const found = await findProgram(gate);
  const durationMs = Math.round(clock.monotonicMs() - beganMs);
  const ok: ProbeStage = { stage: 'path', outcome: 'ok', durationMs, code: null, detail: `${gate.program} may be run` };
  if (found.isThere) return [ok];
  const code = found.code === 'gate.program_forbidden' ? 'path.forbidden' : 'path.missing';
  return [{ ...ok, outcome: 'failed', code, detail: found.message }];
}

function lookAtService(
  { network }: SubjectDeps,
  call: LookCall,
  { url, headers, probe }: HttpGateDefinition,
): Promise<readonly ProbeStage[]> {
  const expectation = { judge: probe === undefined ? isAliveStatus : isGoodStatus, hasCredential: false };
  if (probe === undefined) return lookAtUrl(network, { url, method: 'HEAD', headers, ...call }, expectation);
  return lookAtUrl(network, { url: new URL(probe, url).href, method: 'GET', headers, ...call }, expectation);
}

/** One per registry host, and one per directory of layouts. */
function registriesOf(
  environment: string,
  releases: readonly Release[],
  declared: readonly RegistryDefinition[],
): readonly Lookable[] {
  const byName = new Map<string, { source: ArtifactSource; digest: Digest }>();
  for (const { components } of releases) {
    for (const { source, digest } of components) {
      const name = registryName(source);
      if (!byName.has(name)) byName.set(name, { source, digest });
    }
  }
  return [...byName].map(([name, { source, digest }]): Lookable => {
    const definition = declared.find(({ host }) => host === name);
    const reference = definition ? registrySecretOf(definition) : null;
    return {
      subject: { kind: 'registry', environment, name },
      ...(reference === null ? {} : { reference }),
      look: (deps, call) =>
        source.kind === 'registry'
          ? lookAtRegistry(deps, { ...call, source, digest })
          : lookAtLayout(deps, call, { source, digest }),
    };
  });
}

function registryName(source: ArtifactSource): string {
  return source.kind === 'registry' ? source.registry : formatSource(source);
}

const LAYOUT_CODES: Readonly<Record<string, ProbeCode>> = {
  'registry.artifact_missing': 'answer.missing',
  'registry.directory_forbidden': 'path.forbidden',
  'registry.unreachable': 'path.missing',
};

async function lookAtLayout(
  { registry, clock }: SubjectDeps,
  { signal }: LookCall,
  { source, digest }: { readonly source: ArtifactSource; readonly digest: Digest },
): Promise<readonly ProbeStage[]> {
  const beganMs = clock.monotonicMs();
  const stage = (rest: Pick<ProbeStage, 'outcome' | 'code' | 'detail'>): readonly ProbeStage[] => [
    { stage: 'answer', durationMs: Math.round(clock.monotonicMs() - beganMs), ...rest },
  ];
  try {
    const { kind } = await registry.readDocument(source, digest, signal);
    return stage({ outcome: 'ok', code: null, detail: `the ${kind} of its release is there` });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const code = isAppError(error) ? (LAYOUT_CODES[error.code] ?? 'answer.bad') : 'probe.error';
    return stage({ outcome: 'failed', code, detail });
  }
}
