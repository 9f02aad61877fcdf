/**
 * What `stella apply -f` takes: YAML documents of `kind: Environment`, `Notification` and `Registry` → definitions. Owns
 * the form of the file; the meaning is the domain's. Strict: an unknown key is an error (safety S16). Example of a document:
 *
 *     kind: Environment
 *     name: prod
 *     promotesFrom: [staging]
 *     gates:
 *       - { name: tests, kind: http, url: 'http://127.0.0.1:9000/tests', timeout: 30s }
 *       - { name: release-board, kind: approval, count: 1 }
 *     targets:
 *       - { name: web, kind: files, component: web, directory: /srv/shop }
 */
import {
  componentsOf,
  CONCURRENCY_MODES,
  directoryOf,
  doShareSpace,
  type EnvironmentDefinition,
  type GateDefinition,
  type NotificationChannel,
  ON_FAILURE,
  PRECHECK_MODES,
  QUEUE_MODES,
  type RegistryDefinition,
  type TargetDefinition,
} from '@stella/domain';
import { checkName } from './definition-checks.ts';
import { makeFindings } from './findings.ts';
import { type MapReader, type NumberRule, readMap } from './map-reader.ts';
import { NOTIFICATION_KIND, readChannel } from './read-channel.ts';
import { PREDECESSOR_COUNT_MAX, readGate } from './read-gate.ts';
import { FREEZE_COUNT_MAX, readFreeze } from './read-window.ts';
import { readQuotas } from './read-quotas.ts';
import { readRegistry, REGISTRY_KIND } from './read-registry.ts';
import { readStrategy } from './read-strategy.ts';
import { readTarget } from './read-target.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from './time-units.ts';
import { readYamlDocuments } from './yaml-documents.ts';

export const ENVIRONMENT_KIND = 'Environment';
const KINDS = [ENVIRONMENT_KIND, NOTIFICATION_KIND, REGISTRY_KIND] as const;

const KEYS = [
  'kind',
  'name',
  'promotesFrom',
  'gates',
  'targets',
  'strategy',
  'onFailure',
  'precheck',
  'queue',
  'freezes',
  'concurrency',
  'deployDeadline',
  'quotas',
] as const satisfies readonly string[];
/** Gates of one environment are all asked at the same time. */
const GATE_COUNT_MAX = 50;
/** Targets of one environment are in one deploy, `limits.targetsAtOnce` of them at a time. */
const TARGET_COUNT_MAX = 200;
const DEPLOY_DEADLINE: NumberRule = { standard: 15 * MINUTE_MS, min: SECOND_MS, max: 4 * HOUR_MS };

export interface EnvironmentDocument {
  readonly definition: EnvironmentDefinition;
  readonly file: string;
  /** Of the document's first key. */
  readonly line: number;
}

export interface ChannelDocument {
  readonly definition: NotificationChannel;
  readonly file: string;
  /** Of the document's first key. */
  readonly line: number;
}

export interface RegistryDocument {
  readonly definition: RegistryDefinition;
  readonly file: string;
  /** Of the document's first key. */
  readonly line: number;
}

export interface ParsedDocuments {
  readonly environments: readonly EnvironmentDocument[];
  readonly channels: readonly ChannelDocument[];
  readonly registries: readonly RegistryDocument[];
}

/** Documents of `kind: Environment` alone; what else there is, is checked, too. Errors: as `parseDocuments`. */
export function parseEnvironmentDocuments(text: string, file: string): readonly EnvironmentDocument[] {
  return parseDocuments(text, file).environments;
}

/**
 * At least one document. `file` is only a name, for messages. Errors: `input.yaml` (`file:line: reason`) and
 * `input.unknown_key`, which name the first mistake and hold the others in `details.others`. Whether predecessors
 * exist, and circles, are looked at when all files are known.
 */
export function parseDocuments(text: string, file: string): ParsedDocuments {
  const documents = readYamlDocuments(text, file);
  const findings = makeFindings(file);
  if (documents.length === 0) findings.note({ line: 1, column: 1 }, `there is no document of kind ${ENVIRONMENT_KIND}`);
  const environments: EnvironmentDocument[] = [];
  const channels: ChannelDocument[] = [];
  const registries: RegistryDocument[] = [];
  const lineByName = new Map<string, number>();
  for (const document of documents) {
    const map = readMap({ document, findings }, document.root, 'a document');
    const kind = map?.choice('kind', KINDS) ?? null;
    if (!map || kind === null) continue;
    const { line } = map;
    let named: readonly [noun: string, key: string, name: string];
    if (kind === REGISTRY_KIND) {
      const definition = readRegistry(map);
      registries.push({ definition, file, line });
      named = ['registry', 'host', definition.host];
    } else if (kind === NOTIFICATION_KIND) {
      const definition = readChannel(map);
      channels.push({ definition, file, line });
      named = ['channel', 'name', definition.name];
    } else {
      const definition = readEnvironment(map);
      environments.push({ definition, file, line });
      named = ['environment', 'name', definition.name];
    }
    const [noun, key, name] = named;
    const earlier = lineByName.get(`${noun} ${name}`);
    if (earlier !== undefined && name !== '') {
      map.refuse(key, `${key}: the ${noun} "${name}" is defined twice, first in line ${earlier}`);
    }
    lineByName.set(`${noun} ${name}`, earlier ?? line);
  }
  findings.throwFirst();
  return { environments, channels, registries };
}

function readEnvironment(map: MapReader): EnvironmentDefinition {
  map.allow(KEYS);
  const name = map.text('name', checkName);
  const promotesFrom = map.texts('promotesFrom', checkName, { countMax: PREDECESSOR_COUNT_MAX }) ?? [];
  if (name !== '' && promotesFrom.includes(name)) {
    map.refuse('promotesFrom', `promotesFrom: "${name}" cannot promote from itself`);
  }
  const gates = readEach(map.maps('gates', { countMax: GATE_COUNT_MAX }), (gate) => readGate(gate, promotesFrom));
  for (const gate of gates) refuseItself(gate, name);
  refuseRepeated(gates, 'gate');
  const targets = readEach(map.maps('targets', { countMax: TARGET_COUNT_MAX, isRequired: true }), readTarget);
  refuseRepeated(targets, 'target');
  refuseSharedSpace(targets);
  const concurrency = map.choice('concurrency', CONCURRENCY_MODES, 'exclusive') ?? 'exclusive';
  if (concurrency === 'per_component') targets.forEach(refuseSeveral);
  const quotas = readQuotas(map.map('quotas'), concurrency);
  const deployDeadlineMs = map.duration('deployDeadline', DEPLOY_DEADLINE);
  const known = { targets: targets.map((target) => target.value), concurrency, deployDeadlineMs };
  const strategy = readStrategy(map.map('strategy'), known);
  return {
    name,
    promotesFrom,
    gates: gates.map((gate) => gate.value),
    targets: known.targets,
    onFailure: map.choice('onFailure', ON_FAILURE, 'rollback') ?? 'rollback',
    precheck: map.choice('precheck', PRECHECK_MODES, 'required') ?? 'required',
    queue: map.choice('queue', QUEUE_MODES, 'fifo') ?? 'fifo',
    freezes: map.maps('freezes', { countMax: FREEZE_COUNT_MAX }).map(readFreeze),
    concurrency,
    deployDeadlineMs,
    ...(strategy ? { strategy } : {}),
    ...(quotas ? { quotas } : {}),
  };
}

/** What waits for its own environment would wait for ever. */
function refuseItself({ map, value: gate }: Read<GateDefinition>, name: string): void {
  if (gate.kind !== 'dependency' || !gate.requires.some((one) => one.environment === name)) return;
  map.refuse('requires', `requires: "${name}" cannot depend on itself`);
}

/** What was read, with the mapping that it was read from. */
interface Read<Value> {
  readonly map: MapReader;
  readonly value: Value;
}

function readEach<Value>(maps: readonly MapReader[], read: (map: MapReader) => Value | null): readonly Read<Value>[] {
  return maps.flatMap((map) => {
    const value = read(map);
    return value === null ? [] : [{ map, value }];
  });
}

function refuseRepeated(entries: readonly Read<{ readonly name: string }>[], noun: string): void {
  const seen = new Set<string>();
  for (const { map, value } of entries) {
    if (value.name !== '' && seen.has(value.name)) {
      map.refuse('name', `name: another ${noun} of this environment is named "${value.name}"`);
    }
    seen.add(value.name);
  }
}

function refuseShared(map: MapReader, target: TargetDefinition, other: TargetDefinition): void {
  const [key, space] = sharedSpace(target, other);
  map.refuse(key, `${key}: "${space}" overlaps that of target "${other.name}"`);
}

function sharedSpace(target: TargetDefinition, other: TargetDefinition): readonly [key: string, space: string] {
  if (target.kind === 'docker' && other.kind === 'docker' && target.container === other.container) {
    return ['container', target.container];
  }
  if (target.kind === 'compose' && other.kind === 'compose' && target.project === other.project) {
    return ['project', target.project];
  }
  return [target.kind === 'files' ? 'directory' : 'stateDirectory', directoryOf(target) ?? ''];
}

/** A release of one component alone would have nothing to make the other images of. */
function refuseSeveral({ map, value }: Read<TargetDefinition>): void {
  const [first, second] = componentsOf(value);
  if (second === undefined) return;
  const why = 'with concurrency: per_component releases carry one of them without the other';
  map.refuse('components', `components: "${first}" and "${second}" change together; ${why}`);
}

/** Two targets that write into one another's directory, or make the same container, would undo each other's work. */
function refuseSharedSpace(entries: readonly Read<TargetDefinition>[]): void {
  const seen: TargetDefinition[] = [];
  for (const { map, value } of entries) {
    const directory = directoryOf(value);
    if (directory === '') continue;
    const other = seen.find((one) => doShareSpace(value, one));
    if (other) refuseShared(map, value, other);
    seen.push(value);
  }
}
