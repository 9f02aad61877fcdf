/**
 * Plain domain values for tests: valid, small, and the same each time. Every maker takes the fields that the test is
 * about; what a test does not name has a usual value.
 */
import {
  type Actor,
  type ApprovalGateDefinition,
  type CanaryStrategy,
  type CommandGateDefinition,
  type CommandTargetDefinition,
  type ComposeTargetDefinition,
  type DockerTargetDefinition,
  type DependencyGateDefinition,
  digestOf,
  type EnvironmentDefinition,
  emptyEnvironment,
  type EnvironmentStatus,
  type FilesTargetDefinition,
  type HttpGateDefinition,
  type PersonId,
  type Principal,
  type Release,
  type ReleaseId,
  type Role,
  type RoleBinding,
  type SoakGateDefinition,
  type WindowGateDefinition,
  withRelease,
} from '@stella/domain';
import { makeSeededIds, TEST_EPOCH_MS } from './seeded-ids.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The same name gives the same person everywhere in a test. */
export function personIdOf(subject: string): PersonId {
  return makeSeededIds(hashOf(subject)).next('per');
}

export function makePerson(subject: string): Extract<Actor, { kind: 'person' }> {
  return { kind: 'person', id: personIdOf(subject), subject };
}

/** An automation whose token `mintedBy` has made. */
export function makeAutomation(name: string, mintedBy: string): Extract<Actor, { kind: 'automation' }> {
  return { kind: 'automation', id: makeSeededIds(hashOf(name)).next('aut'), name, personId: personIdOf(mintedBy) };
}

/** `makePrincipal('bob', 'approver@prod', 'viewer@*')`. */
export function makePrincipal(subject: string, ...roles: readonly `${Role}@${string}`[]): Principal {
  return { actor: makePerson(subject), bindings: toBindings(roles) };
}

export function toBindings(roles: readonly `${Role}@${string}`[]): RoleBinding[] {
  return roles.map((text) => {
    const [role, pattern] = text.split('@');
    // The template type allows roles only.
    return { role: role as Role, pattern: pattern ?? '*' };
  });
}

/** Release number `n`, called `shop-n`, with one component per given name. */
export function makeRelease(n: number, components: readonly string[] = ['web']): Release {
  return {
    id: releaseIdOf(n),
    name: `shop-${n}`,
    number: n,
    createdAtMs: TEST_EPOCH_MS,
    components: components.map((name) => ({
      name,
      source: { kind: 'registry', registry: 'registry.example:5000', repository: `shop/${name}` },
      digest: digestOf(`${name} of shop-${n}`),
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      tag: `1.${n}.0`,
    })),
  };
}

export function releaseIdOf(n: number): ReleaseId {
  return makeSeededIds(1_000_000 + n).next('rel');
}

export function makeTarget(patch: Partial<FilesTargetDefinition> = {}): FilesTargetDefinition {
  const name = patch.name ?? 'web-1';
  return { kind: 'files', name, component: 'web', directory: `/srv/${name}`, keepCount: 3, health: null, ...patch };
}

export function makeCommandTarget(patch: Partial<CommandTargetDefinition> = {}): CommandTargetDefinition {
  return {
    kind: 'command',
    name: 'worker-1',
    component: 'web',
    deploy: ['/opt/web/deploy'],
    observe: ['/opt/web/running'],
    health: null,
    ...patch,
  };
}

export function makeDockerTarget(patch: Partial<DockerTargetDefinition> = {}): DockerTargetDefinition {
  return {
    kind: 'docker',
    name: 'api-1',
    component: 'web',
    health: null,
    container: 'api',
    socket: null,
    command: null,
    env: {},
    secretEnv: {},
    ports: [],
    volumes: [],
    network: null,
    restart: 'no',
    stopTimeoutMs: 1_000,
    order: 'stop_first',
    ...patch,
  };
}

/** Of two components, `api` and `web`. */
export function makeComposeTarget(patch: Partial<ComposeTargetDefinition> = {}): ComposeTargetDefinition {
  const name = patch.name ?? 'shop-1';
  return {
    kind: 'compose',
    name,
    components: { api: 'api', web: 'web' },
    project: name,
    socket: null,
    compose: { services: { api: {}, web: {} } },
    health: null,
    ...patch,
  };
}

export function makeHttpGate(patch: Partial<HttpGateDefinition> = {}): HttpGateDefinition {
  return {
    kind: 'http',
    name: 'tests',
    url: 'http://gate.example/verdict',
    headers: {},
    timeoutMs: 2 * MINUTE_MS,
    retryCount: 2,
    backoffMs: 10_000,
    validForMs: 24 * HOUR_MS,
    ...patch,
  };
}

export function makeCommandGate(patch: Partial<CommandGateDefinition> = {}): CommandGateDefinition {
  return {
    kind: 'command',
    name: 'policy',
    program: '/opt/gates/policy',
    args: [],
    directory: null,
    timeoutMs: 2 * MINUTE_MS,
    retryCount: 2,
    backoffMs: 10_000,
    validForMs: 24 * HOUR_MS,
    ...patch,
  };
}

export function makeApprovalGate(patch: Partial<ApprovalGateDefinition> = {}): ApprovalGateDefinition {
  return {
    kind: 'approval',
    name: 'sign',
    count: 1,
    group: null,
    deadlineMs: 24 * HOUR_MS,
    validForMs: 24 * HOUR_MS,
    ...patch,
  };
}

export function makeSoakGate(patch: Partial<SoakGateDefinition> = {}): SoakGateDefinition {
  return {
    kind: 'soak',
    name: 'soak',
    durationMs: 10 * MINUTE_MS,
    environments: ['dev'],
    deadlineMs: 24 * HOUR_MS,
    validForMs: 24 * HOUR_MS,
    ...patch,
  };
}

/** Wants `dev` to run the release, or a newer one. */
export function makeDependencyGate(patch: Partial<DependencyGateDefinition> = {}): DependencyGateDefinition {
  return {
    kind: 'dependency',
    name: 'needs-dev',
    requires: [{ environment: 'dev', state: 'runs', component: null, release: null }],
    deadlineMs: 24 * HOUR_MS,
    validForMs: 24 * HOUR_MS,
    ...patch,
  };
}

/** Open from nine to five on working days, in UTC. */
export function makeWindowGate(patch: Partial<WindowGateDefinition> = {}): WindowGateDefinition {
  return {
    kind: 'window',
    name: 'hours',
    zone: 'UTC',
    allow: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '17:00' }],
    deadlineMs: 7 * 24 * HOUR_MS,
    validForMs: 24 * HOUR_MS,
    ...patch,
  };
}

/** Soaks for ten seconds, in which a health check is asked every five. */
export function makeCanary(patch: Partial<CanaryStrategy> = {}): CanaryStrategy {
  return {
    kind: 'canary',
    targets: ['web-1'],
    soakMs: 10_000,
    judge: {
      url: 'http://127.0.0.1:9/health',
      expectStatus: 200,
      timeoutMs: 2_000,
      intervalMs: 5_000,
      failuresAllowed: 1,
    },
    ...patch,
  };
}

/** `prod` with one target and no gate. */
export function makeDefinition(patch: Partial<EnvironmentDefinition> = {}): EnvironmentDefinition {
  return {
    name: 'prod',
    promotesFrom: [],
    gates: [],
    targets: [makeTarget()],
    onFailure: 'rollback',
    precheck: 'required',
    queue: 'fifo',
    freezes: [],
    concurrency: 'exclusive',
    deployDeadlineMs: 15 * MINUTE_MS,
    ...patch,
  };
}

/** As its first definition leaves it. */
export function makeEmptyEnvironment(name: string): EnvironmentStatus {
  return { ...emptyEnvironment(name), policyRevision: 1 };
}

/** An environment that runs the release, verified at that moment. */
export function makeWholeEnvironment(name: string, release: Release, releasedAtMs = TEST_EPOCH_MS): EnvironmentStatus {
  return withRelease(makeEmptyEnvironment(name), release, releasedAtMs);
}

/** FNV-1a over the text: a seed for its ids. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash;
}
