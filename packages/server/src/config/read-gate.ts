/** One entry of `gates`: kind → keys, limits and defaults. The defaults are those of the domain's gate definitions. */
import {
  type ApprovalGateDefinition,
  type CommandGateDefinition,
  type DependencyGateDefinition,
  type DependencyRequirement,
  FREEZE_GATE,
  GATE_KINDS,
  type GateDefinition,
  type GateKind,
  type HttpGateDefinition,
  POLL_INTERVAL_MS,
  REQUIRED_STATES,
  SKIP_RULES,
  type SkipRule,
  type SoakGateDefinition,
  usualSkipRule,
} from '@stella/domain';
import {
  checkArgument,
  checkHeader,
  checkName,
  checkProbePath,
  checkProgram,
  checkReleaseName,
  checkSecretReference,
  checkSubject,
  checkUrl,
} from './definition-checks.ts';
import type { MapReader, NumberRule } from './map-reader.ts';
import { readWindow } from './read-window.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './time-units.ts';

/** A quarter: what nobody settled by then is forgotten. */
const DEADLINE_MS_MAX = 90 * DAY_MS;
const GROUP_COUNT_MAX = 100;
const HEADER_COUNT_MAX = 20;
const ARGUMENT_COUNT_MAX = 50;
/** An environment promotes from no more. */
export const PREDECESSOR_COUNT_MAX = 50;

const VALID_FOR: NumberRule = { standard: DAY_MS, min: SECOND_MS, max: 90 * DAY_MS };
const TIMEOUT: NumberRule = { standard: 2 * MINUTE_MS, min: 10, max: HOUR_MS };
/** With the longest backoff, doubled each time, ten retries take six weeks. */
const RETRIES: NumberRule = { standard: 2, min: 0, max: 10 };
const BACKOFF: NumberRule = { standard: 10 * SECOND_MS, min: 0, max: HOUR_MS };
/** `sync`: one question, one answer. `poll`: the service may say that it needs time. `callback`: it calls when it knows. */
const HTTP_MODES = ['sync', 'poll', 'callback'] as const;
const POLL_INTERVAL: NumberRule = { standard: POLL_INTERVAL_MS, min: 100, max: 5 * MINUTE_MS };
/** 0: the service promises nothing. */
const SLA: NumberRule = { standard: 0, min: 0, max: HOUR_MS };
const APPROVAL_COUNT: NumberRule = { standard: 1, min: 1, max: 20 };
const DEADLINE: NumberRule = { standard: DAY_MS, min: SECOND_MS, max: DEADLINE_MS_MAX };
/** Shorter than the longest deadline, which must leave time after it. */
const SOAK: NumberRule = { min: SECOND_MS, max: DEADLINE_MS_MAX - DAY_MS };

const COMMON_KEYS = ['name', 'kind', 'validFor', 'skip', 'onRollback'] as const;
const ON_ROLLBACK = ['ask', 'omit'] as const;
const KEYS_BY_KIND: Readonly<Record<GateKind, readonly string[]>> = {
  http: ['url', 'headers', 'timeout', 'retries', 'backoff', 'mode', 'interval', 'secret', 'sla', 'probe'],
  command: ['program', 'args', 'directory', 'timeout', 'retries', 'backoff', 'sla'],
  approval: ['count', 'group', 'deadline'],
  soak: ['duration', 'environments', 'deadline'],
  dependency: ['requires', 'deadline'],
  window: ['zone', 'allow', 'deadline'],
};

/**
 * `promotesFrom` of the environment: a soak's environments are among them, and all of them by default. Null when the
 * kind is unknown: nothing else can be said about such a gate.
 */
export function readGate(map: MapReader, promotesFrom: readonly string[]): GateDefinition | null {
  const kind = map.choice('kind', GATE_KINDS);
  if (kind === null) return null;
  map.allow([...COMMON_KEYS, ...KEYS_BY_KIND[kind]], (key) => {
    const owner = GATE_KINDS.find((other) => KEYS_BY_KIND[other].includes(key));
    return owner === undefined ? null : `gates of kind ${owner} have it, this one is of kind ${kind}`;
  });
  refuseKeptName(map, kind);
  const common = {
    name: map.text('name', checkName),
    validForMs: map.duration('validFor', VALID_FOR),
    ...readSkip(map, kind),
    ...readOnRollback(map, kind),
  };
  switch (kind) {
    case 'http':
      return { kind, ...common, ...readHttp(map) };
    case 'command':
      return { kind, ...common, ...readCommand(map) };
    case 'approval':
      return { kind, ...common, ...readApproval(map) };
    case 'soak':
      return { kind, ...common, ...readSoak(map, promotesFrom) };
    case 'dependency':
      return { kind, ...common, ...readDependency(map) };
    case 'window':
      return { kind, ...common, ...readWindow(map) };
  }
}

/** Kept only where it differs from what is usual, so that saying the usual changes no definition. */
function readSkip(map: MapReader, kind: GateKind): { skip?: SkipRule } {
  const usual = usualSkipRule(kind);
  const skip = map.choice('skip', SKIP_RULES, usual);
  return skip === null || skip === usual ? {} : { skip };
}

/** Persons and times count for a rollback as for everything; what machines said before is asked again where it is wanted. */
function readOnRollback(map: MapReader, kind: GateKind): { onRollback?: 'ask' } {
  const isAlwaysAsked = kind === 'approval' || kind === 'window';
  const word = map.choice('onRollback', ON_ROLLBACK, isAlwaysAsked ? 'ask' : 'omit');
  if (isAlwaysAsked && word === 'omit') {
    map.refuse('onRollback', `onRollback: gates of kind ${kind} are asked for rollbacks, too`);
  }
  return word === 'ask' && !isAlwaysAsked ? { onRollback: 'ask' } : {};
}

/** The gate that a freeze adds has this name. */
function refuseKeptName(map: MapReader, kind: GateKind): void {
  const name = map.text('name', () => null, '');
  if (kind !== 'window' && name === FREEZE_GATE.name) {
    map.refuse('name', `name: "${name}" is kept for the gate that a freeze adds; only a window may have it`);
  }
}

type Own<Definition> = Omit<Definition, 'kind' | 'name' | 'validForMs' | 'skip' | 'onRollback'>;

function readHttp(map: MapReader): Own<HttpGateDefinition> {
  const headers = map.pairs('headers', checkHeader, HEADER_COUNT_MAX);
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) map.refuse('headers', `headers: "${repeated}" is given twice`);
  return {
    url: map.text('url', checkUrl),
    headers,
    ...readTiming(map),
    ...readMode(map),
    ...readProbe(map),
  };
}

/** Kept only where it polls or is called back, so that a definition from before stays the same. */
function readMode(map: MapReader): Pick<HttpGateDefinition, 'pollIntervalMs' | 'callback'> {
  const mode = map.choice('mode', HTTP_MODES, 'sync');
  const intervalMs = map.duration('interval', POLL_INTERVAL);
  if (mode !== 'poll' && map.has('interval')) {
    map.refuse('interval', 'interval: only a gate with "mode: poll" is asked again');
  }
  if (mode !== 'callback' && map.has('secret')) {
    map.refuse('secret', 'secret: only a gate with "mode: callback" signs');
  }
  if (mode === 'callback') return { callback: { secret: map.text('secret', checkSecretReference) } };
  return mode === 'poll' ? { pollIntervalMs: intervalMs } : {};
}

type Timing = Pick<CommandGateDefinition, 'timeoutMs' | 'retryCount' | 'backoffMs' | 'slaMs'>;

function readTiming(map: MapReader): Timing {
  const slaMs = map.duration('sla', SLA);
  return {
    timeoutMs: map.duration('timeout', TIMEOUT),
    retryCount: map.count('retries', RETRIES),
    backoffMs: map.duration('backoff', BACKOFF),
    ...(slaMs > 0 && { slaMs }),
  };
}

/** Kept only where it is given. */
function readProbe(map: MapReader): Pick<HttpGateDefinition, 'probe'> {
  const probe = map.text('probe', checkProbePath, '');
  return probe === '' ? {} : { probe };
}

function readCommand(map: MapReader): Own<CommandGateDefinition> {
  const directory = map.text('directory', (value) => (value === '' ? null : checkProgram(value)), '');
  return {
    program: map.text('program', checkProgram),
    args: map.texts('args', checkArgument, { countMax: ARGUMENT_COUNT_MAX }) ?? [],
    directory: directory || null,
    ...readTiming(map),
  };
}

function readApproval(map: MapReader): Own<ApprovalGateDefinition> {
  const count = map.count('count', APPROVAL_COUNT);
  const group = map.texts('group', checkSubject, { countMax: GROUP_COUNT_MAX });
  if (group && group.length < count) {
    map.refuse('group', `group: ${group.length} persons can never give ${count} approvals`);
  }
  return { count, group, deadlineMs: map.duration('deadline', DEADLINE) };
}

function readDependency(map: MapReader): Own<DependencyGateDefinition> {
  const requires = map.maps('requires', { countMax: PREDECESSOR_COUNT_MAX, isRequired: true }).map(readRequirement);
  return { requires, deadlineMs: map.duration('deadline', DEADLINE) };
}

function readRequirement(map: MapReader): DependencyRequirement {
  map.allow(['environment', 'state', 'component', 'release']);
  const environment = map.text('environment', checkName);
  const state = map.choice('state', REQUIRED_STATES, 'runs') ?? 'runs';
  const component = map.text('component', (value) => (value === '' ? null : checkName(value)), '');
  const release = map.text('release', (value) => (value === '' ? null : checkReleaseName(value)), '');
  if (state === 'idle' && component !== '') map.refuse('component', 'component: nothing runs where all is idle');
  if (state === 'idle' && release !== '') map.refuse('release', 'release: nothing runs where all is idle');
  return { environment, state, component: component || null, release: release || null };
}

function readSoak(map: MapReader, promotesFrom: readonly string[]): Own<SoakGateDefinition> {
  const durationMs = map.duration('duration', SOAK);
  const environments = map.texts('environments', checkName, { countMax: PREDECESSOR_COUNT_MAX }) ?? promotesFrom;
  const stranger = environments.find((name) => !promotesFrom.includes(name));
  if (stranger !== undefined) {
    map.refuse('environments', `environments: "${stranger}" is not among promotesFrom`);
  }
  if (environments.length === 0) map.refuse('environments', 'a soak needs an environment in promotesFrom to soak in');
  const deadlineMs = map.duration('deadline', { ...DEADLINE, standard: durationMs + DAY_MS });
  if (deadlineMs < durationMs) map.refuse('deadline', 'deadline: the soak lasts longer, so it could never pass');
  return { durationMs, environments, deadlineMs };
}
