/**
 * The route table, which is also the policy table (safety S15): a route without an entry here cannot be registered, and
 * one without a handler keeps the server from starting. Free of zod, because the command line reads it at every start.
 */
import type { Action } from '@stella/domain';

/** `public`: before authentication. `token`: any valid token, about the caller itself. Else the action to authorize. */
export type Policy = Action | 'public' | 'token';

/** Chapters of the API description, one per noun. */
export const TAGS = {
  promotion: 'Releases on their way into an environment, and what people may do about them',
  release: 'Immutable sets of artifacts',
  environment: 'Where releases are promoted into, and what really runs there',
  lock: 'What promotions hold, and how it is taken from them',
  notification: 'Channels by which people hear of promotions, and what is on its way to them',
  setting: 'Numbers that an operator may change while the server runs',
  identity: 'Persons, automation, tokens',
  orchestrator: 'The server itself, and the audit chain',
} as const;

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Parameters in braces, as OpenAPI writes them. */
  readonly path: string;
  readonly policy: Policy;
  readonly summary: string;
  readonly tag: keyof typeof TAGS;
  /** Status of success; 200 unless something is made. */
  readonly status?: 201;
  /** `events`: a stream of server-sent events. */
  readonly answers?: 'events';
}

const route = <const R extends Route>(entry: R): R => entry;

export const ROUTES = {
  getVersion: route({
    method: 'GET',
    path: '/api/v1/version',
    policy: 'public',
    summary: 'Version of server and API',
    tag: 'orchestrator',
  }),
  getApiDescription: route({
    method: 'GET',
    path: '/api/v1/openapi.json',
    policy: 'public',
    summary: 'This description of the API',
    tag: 'orchestrator',
  }),
  getOrchestrator: route({
    method: 'GET',
    path: '/api/v1/orchestrator',
    policy: 'orchestrator.read',
    summary: 'State of the orchestrator: workers, queue, audit chain',
    tag: 'orchestrator',
  }),
  runDoctor: route({
    method: 'GET',
    path: '/api/v1/doctor',
    policy: 'orchestrator.read',
    summary: 'Looks whether all is well, and says what helps where it is not',
    tag: 'orchestrator',
  }),
  probeConnectivity: route({
    method: 'POST',
    path: '/api/v1/probes',
    policy: 'connectivity.probe',
    summary: 'Looks at targets, gates and registries now, stage by stage; harmless to them',
    tag: 'environment',
  }),
  listProbes: route({
    method: 'GET',
    path: '/api/v1/probes',
    policy: 'environment.read',
    summary: 'The newest look at each target, gate and registry',
    tag: 'environment',
  }),
  getGateStats: route({
    method: 'GET',
    path: '/api/v1/gates/{gate}/stats',
    policy: 'promotion.read',
    summary: 'How the service of a gate has answered of late',
    tag: 'environment',
  }),
  listGateServices: route({
    method: 'GET',
    path: '/api/v1/gate-services',
    policy: 'environment.read',
    summary: 'Services of gates: the newest look, what was measured, what is promised',
    tag: 'environment',
  }),
  getPromotionLog: route({
    method: 'GET',
    path: '/api/v1/promotions/{promotion}/log',
    policy: 'promotion.read',
    summary: 'Attempts, events and log lines of a promotion, by time',
    tag: 'promotion',
  }),
  verifyCredentials: route({
    method: 'POST',
    path: '/api/v1/environments/{environment}/credentials/verify',
    policy: 'connectivity.probe',
    summary: 'Tries the credentials of an environment, and shows none',
    tag: 'environment',
  }),
  listEnvironments: route({
    method: 'GET',
    path: '/api/v1/environments',
    policy: 'environment.read',
    summary: 'All environments and what they run',
    tag: 'environment',
  }),
  getEnvironment: route({
    method: 'GET',
    path: '/api/v1/environments/{environment}',
    policy: 'environment.read',
    summary: 'One environment with its definition',
    tag: 'environment',
  }),
  listArtifacts: route({
    method: 'GET',
    path: '/api/v1/environments/{environment}/artifacts',
    policy: 'environment.read',
    summary: 'What really runs on the targets of an environment, found by looking now',
    tag: 'environment',
  }),
  applyDefinitions: route({
    method: 'POST',
    path: '/api/v1/apply',
    policy: 'environment.apply',
    summary: 'Applies environment definitions, all or none',
    tag: 'environment',
  }),
  createRelease: route({
    method: 'POST',
    path: '/api/v1/releases',
    policy: 'release.create',
    summary: 'Makes an immutable release; tags are resolved once',
    tag: 'release',
    status: 201,
  }),
  listReleases: route({
    method: 'GET',
    path: '/api/v1/releases',
    policy: 'release.read',
    summary: 'Releases, newest first',
    tag: 'release',
  }),
  getRelease: route({
    method: 'GET',
    path: '/api/v1/releases/{release}',
    policy: 'release.read',
    summary: 'One release',
    tag: 'release',
  }),
  createPromotion: route({
    method: 'POST',
    path: '/api/v1/promotions',
    policy: 'promotion.create',
    summary: 'Starts to promote a release into an environment',
    tag: 'promotion',
    status: 201,
  }),
  startRollback: route({
    method: 'POST',
    path: '/api/v1/rollbacks',
    policy: 'promotion.rollback',
    summary: 'Starts to bring back a release that completed in the environment before',
    tag: 'promotion',
    status: 201,
  }),
  deployArtifact: route({
    method: 'POST',
    path: '/api/v1/deploys',
    policy: 'promotion.deploy',
    summary: 'Starts to deploy one artifact, by a release that is made for it',
    tag: 'promotion',
    status: 201,
  }),
  getArtifact: route({
    method: 'GET',
    path: '/api/v1/artifacts/{artifact}',
    policy: 'release.read',
    summary: 'One artifact: which releases have it, which environments run it, whether it is still there',
    tag: 'release',
  }),
  getEnvironmentStatus: route({
    method: 'GET',
    path: '/api/v1/environments/{environment}/status',
    policy: 'environment.read',
    summary: 'What runs on every target as last verified, and what is going on in the environment',
    tag: 'environment',
  }),
  listDeployments: route({
    method: 'GET',
    path: '/api/v1/environments/{environment}/deployments',
    policy: 'environment.read',
    summary: 'What was deployed in an environment, newest first',
    tag: 'environment',
  }),
  listPromotions: route({
    method: 'GET',
    path: '/api/v1/promotions',
    policy: 'promotion.read',
    summary: 'Promotions, newest first',
    tag: 'promotion',
  }),
  countPromotions: route({
    method: 'GET',
    path: '/api/v1/promotion-count',
    policy: 'promotion.read',
    summary: 'How many promotions match',
    tag: 'promotion',
  }),
  countPromotionActors: route({
    method: 'GET',
    path: '/api/v1/promotion-count/actors',
    policy: 'promotion.read',
    summary: 'Who asked for the promotions that match, and for how many',
    tag: 'promotion',
  }),
  getPromotion: route({
    method: 'GET',
    path: '/api/v1/promotions/{promotion}',
    policy: 'promotion.read',
    summary: 'One promotion: status, steps, gates, locks',
    tag: 'promotion',
  }),
  diagnosePromotion: route({
    method: 'GET',
    path: '/api/v1/promotions/{promotion}/diagnosis',
    policy: 'promotion.read',
    summary: 'Why a promotion does not go on, on which facts that rests, and what cures it',
    tag: 'promotion',
  }),
  listGateRuns: route({
    method: 'GET',
    path: '/api/v1/promotions/{promotion}/gates',
    policy: 'promotion.read',
    summary: 'Gate runs of a promotion with their attempts',
    tag: 'promotion',
  }),
  tracePromotion: route({
    method: 'GET',
    path: '/api/v1/promotions/{promotion}/events',
    policy: 'promotion.read',
    summary: 'Events of a promotion in their order',
    tag: 'promotion',
  }),
  approvePromotion: route({
    method: 'POST',
    path: '/api/v1/promotions/{promotion}/approve',
    policy: 'promotion.approve',
    summary: 'Approves at an approval gate, or a skip',
    tag: 'promotion',
  }),
  rejectPromotion: route({
    method: 'POST',
    path: '/api/v1/promotions/{promotion}/reject',
    policy: 'promotion.reject',
    summary: 'Rejects at an approval gate, or a skip only',
    tag: 'promotion',
  }),
  skipGate: route({
    method: 'POST',
    path: '/api/v1/promotions/{promotion}/gates/{gate}/skip',
    policy: 'gate.skip',
    summary: 'Asks to skip a gate; counts when a second person approves',
    tag: 'promotion',
  }),
  cancelPromotion: route({
    method: 'POST',
    path: '/api/v1/promotions/{promotion}/cancel',
    policy: 'promotion.cancel',
    summary: 'Cancels; from deploy on, onFailure applies',
    tag: 'promotion',
  }),
  retryPromotion: route({
    method: 'POST',
    path: '/api/v1/promotions/{promotion}/retry',
    policy: 'promotion.retry',
    summary: 'A new attempt for the failed part; of an ended promotion, a new one',
    tag: 'promotion',
  }),
  changePriority: route({
    method: 'POST',
    path: '/api/v1/promotions/{promotion}/priority',
    policy: 'promotion.prioritize',
    summary: 'Moves it within the queue of its environment, at once',
    tag: 'promotion',
  }),
  takeCallback: route({
    method: 'POST',
    path: '/api/v1/callbacks/{operation}',
    policy: 'public',
    summary: 'The verdict of a gate that calls back, signed as Standard Webhooks says with the secret of the gate',
    tag: 'promotion',
  }),
  streamEvents: route({
    method: 'GET',
    path: '/api/v1/events',
    policy: 'promotion.read',
    summary: 'Events of the global chain as they come, with replay',
    tag: 'orchestrator',
    answers: 'events',
  }),
  listLocks: route({
    method: 'GET',
    path: '/api/v1/locks',
    policy: 'lock.read',
    summary: 'Live locks with holder, age, fence and waiters',
    tag: 'lock',
  }),
  freezeEnvironment: route({
    method: 'POST',
    path: '/api/v1/environments/{environment}/freeze',
    policy: 'environment.freeze',
    summary: 'Lets nothing new be deployed to an environment',
    tag: 'environment',
  }),
  unfreezeEnvironment: route({
    method: 'POST',
    path: '/api/v1/environments/{environment}/unfreeze',
    policy: 'environment.freeze',
    summary: 'Ends the freeze that an operator has set',
    tag: 'environment',
  }),
  listQuotas: route({
    method: 'GET',
    path: '/api/v1/quotas',
    policy: 'environment.read',
    summary: 'Quotas of environments: limit, used, who waits, when they are counted anew',
    tag: 'environment',
  }),
  changeQuotas: route({
    method: 'POST',
    path: '/api/v1/environments/{environment}/quotas',
    policy: 'setting.write',
    summary: 'Sets limits over those of the definition, effective at once for who waits',
    tag: 'environment',
  }),
  requestQuota: route({
    method: 'POST',
    path: '/api/v1/environments/{environment}/quota-requests',
    policy: 'quota.request',
    summary: 'Asks whoever may to raise a limit; shown until the limit is set',
    tag: 'environment',
  }),
  raiseFence: route({
    method: 'POST',
    path: '/api/v1/environments/{environment}/fence/raise',
    policy: 'fence.raise',
    summary: 'Raises the fence of an environment above what its targets hold',
    tag: 'lock',
  }),
  releaseLock: route({
    method: 'POST',
    path: '/api/v1/locks/{lock}/release',
    policy: 'lock.release',
    summary: 'Takes a lock from its promotion and seals the targets',
    tag: 'lock',
  }),
  listChannels: route({
    method: 'GET',
    path: '/api/v1/notify/channels',
    policy: 'notification.read',
    summary: 'Channels by which people hear of promotions, and how each is',
    tag: 'notification',
  }),
  testChannel: route({
    method: 'POST',
    path: '/api/v1/notify/channels/{channel}/test',
    policy: 'notification.test',
    summary: 'Sends a test message now, and says what became of it',
    tag: 'notification',
  }),
  listDeliveries: route({
    method: 'GET',
    path: '/api/v1/notify/deliveries',
    policy: 'notification.read',
    summary: 'Messages to channels, newest first',
    tag: 'notification',
  }),
  retryDelivery: route({
    method: 'POST',
    path: '/api/v1/notify/deliveries/{delivery}/retry',
    policy: 'notification.retry',
    summary: 'Tries a message again that was given up or waits for its next attempt',
    tag: 'notification',
  }),
  listRegistries: route({
    method: 'GET',
    path: '/api/v1/registries',
    policy: 'registry.read',
    summary: 'Declared registries of artifacts, and who we are there',
    tag: 'release',
  }),
  listSettings: route({
    method: 'GET',
    path: '/api/v1/settings',
    policy: 'setting.read',
    summary: 'Every setting with its value, range and where it comes from',
    tag: 'setting',
  }),
  getSetting: route({
    method: 'GET',
    path: '/api/v1/settings/{setting}',
    policy: 'setting.read',
    summary: 'One setting',
    tag: 'setting',
  }),
  changeSetting: route({
    method: 'POST',
    path: '/api/v1/settings/{setting}',
    policy: 'setting.write',
    summary: 'Sets a setting, or unsets it; effective at once',
    tag: 'setting',
  }),
  listSettingChanges: route({
    method: 'GET',
    path: '/api/v1/settings/{setting}/changes',
    policy: 'setting.read',
    summary: 'Who changed a setting, newest first',
    tag: 'setting',
  }),
  createPerson: route({
    method: 'POST',
    path: '/api/v1/persons',
    policy: 'person.create',
    summary: 'Enrols a person with a one-time code',
    tag: 'identity',
    status: 201,
  }),
  mintToken: route({
    method: 'POST',
    path: '/api/v1/tokens',
    policy: 'token.mint',
    summary: 'Mints a token for oneself or for automation',
    tag: 'identity',
    status: 201,
  }),
  listTokens: route({
    method: 'GET',
    path: '/api/v1/tokens',
    policy: 'token.read',
    summary: 'Tokens, newest first, never their secrets',
    tag: 'identity',
  }),
  revokeToken: route({
    method: 'POST',
    path: '/api/v1/tokens/{token}/revoke',
    policy: 'token.revoke',
    summary: 'Revokes a token',
    tag: 'identity',
  }),
  login: route({
    method: 'POST',
    path: '/api/v1/auth/login',
    policy: 'public',
    summary: 'Trades a one-time code for a token',
    tag: 'identity',
    status: 201,
  }),
  recover: route({
    method: 'POST',
    path: '/api/v1/auth/recover',
    policy: 'public',
    summary: "Trades the key in the server's recovery file for an admin token",
    tag: 'identity',
    status: 201,
  }),
  whoami: route({
    method: 'GET',
    path: '/api/v1/auth/whoami',
    policy: 'token',
    summary: 'Who the token belongs to, and its roles',
    tag: 'identity',
  }),
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof ROUTES;
// Its keys, all of them: it is a constant.
export const ROUTE_NAMES = Object.keys(ROUTES) as readonly RouteName[];

type ParameterNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterNames<Rest>
  : never;

/** Path parameters of a route, by name. */
export type RouteParameters<Name extends RouteName> = {
  readonly [Key in ParameterNames<(typeof ROUTES)[Name]['path']>]: string;
};

/** `routePath('/api/v1/locks/{lock}', { lock: 'lck_01' })` → `/api/v1/locks/lck_01`. */
export function routePath(path: string, parameters: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(parameters[name] ?? ''));
}

/** Every write takes one of these; a repeat with the same key gets the same answer. */
export const IDEMPOTENCY_HEADER = 'idempotency-key';
/** Names a request in logs and errors. */
export const REQUEST_ID_HEADER = 'x-request-id';
/** Every answer of the API carries it, so that a client notices a stranger at the address that it was given. */
export const API_HEADER = 'stella-api';
export const API_VERSION = 'v1';
