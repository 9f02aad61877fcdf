/** The keys of an environment's YAML, their standards and ranges; one function per kind of thing. */
import {
  type EnvironmentDefinition,
  GATE_KINDS,
  type GateDefinition,
  type HttpHealthCheck,
  ON_FAILURE,
  PRECHECK_MODES,
  TARGET_KINDS,
  type TargetDefinition,
} from '@stella/domain';
import { isMap, isScalar, type Node } from 'yaml';
import {
  type NumberRule,
  readCount,
  readDuration,
  readList,
  readMap,
  readText,
  readWord,
  refuse,
  type TextRule,
  textOf,
  type YamlMap,
  type YamlPlace,
} from './yaml-fields.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Gates, targets, predecessors of one environment. */
const LIST_LENGTH_MAX = 100;
const HEADERS_MAX = 20;

export const NAME_RULE: TextRule = {
  pattern: /^[a-z0-9][a-z0-9-]{0,62}$/,
  expected: 'a name of lower-case letters, digits and hyphens, at most 63',
};
const SUBJECT_RULE: TextRule = { pattern: /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/, expected: 'the subject of a person' };
const URL_RULE: TextRule = {
  pattern: /^https?:\/\/[^\s/?#@]+(?:[/?#]\S{0,1000})?$/,
  expected: 'an http or https URL without user or password',
};
const DIRECTORY_RULE: TextRule = {
  pattern: /^\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^\u0000]{1,500}$/,
  expected: 'an absolute directory without . and .. in it',
};
const HEADER_VALUE_RULE: TextRule = { pattern: /^[\t\x20-\x7e]{0,1000}$/, expected: 'printable ASCII' };

const range = (standard: number | null, min: number, max: number): NumberRule => ({ standard, min, max });

const ENVIRONMENT_KEYS = [
  'kind',
  'name',
  'promotesFrom',
  'gates',
  'targets',
  'onFailure',
  'precheck',
  'deployDeadline',
] as const;

export function readEnvironment(place: YamlPlace, node: unknown): { definition: EnvironmentDefinition; line: number } {
  const map = readMap(place, node, 'an Environment', ENVIRONMENT_KEYS);
  readWord(map, 'kind', ['Environment'], null);
  const name = readText(map, 'name', NAME_RULE);
  const promotesFrom = readNames(map, 'promotesFrom', NAME_RULE);
  if (promotesFrom.includes(name)) throw refuse(place, map.line, `environment "${name}" promotes from itself`);
  const gates = readList(map, 'gates', LIST_LENGTH_MAX).map((gate) => readGate(place, gate, promotesFrom));
  const targets = readList(map, 'targets', LIST_LENGTH_MAX).map((target) => readTarget(place, target));
  if (targets.length === 0) throw refuse(place, map.line, `environment "${name}" has no targets`);
  refuseRepeated(map, 'gate', gates);
  refuseRepeated(map, 'target', targets);
  refuseSharedDirectory(map, targets);
  return {
    line: map.line,
    definition: {
      name,
      promotesFrom,
      gates,
      targets,
      onFailure: readWord(map, 'onFailure', ON_FAILURE, 'rollback'),
      precheck: readWord(map, 'precheck', PRECHECK_MODES, 'required'),
      deployDeadlineMs: readDuration(map, 'deployDeadline', range(15 * MINUTE, SECOND, DAY)),
    },
  };
}

const GATE_KEYS = {
  http: ['name', 'kind', 'validFor', 'url', 'headers', 'timeout', 'retries', 'backoff'],
  approval: ['name', 'kind', 'validFor', 'count', 'group', 'deadline'],
  soak: ['name', 'kind', 'validFor', 'duration', 'environments', 'deadline'],
} as const;

function readGate(place: YamlPlace, node: Node, promotesFrom: readonly string[]): GateDefinition {
  const kind = kindOf(place, node, GATE_KINDS, 'a gate');
  const map = readMap(place, node, `a gate of kind ${kind}`, GATE_KEYS[kind]);
  const common = {
    name: readText(map, 'name', NAME_RULE),
    validForMs: readDuration(map, 'validFor', range(DAY, MINUTE, 30 * DAY)),
  };
  if (kind === 'http') {
    return {
      kind,
      ...common,
      url: readText(map, 'url', URL_RULE),
      headers: readHeaders(map),
      timeoutMs: readDuration(map, 'timeout', range(2 * MINUTE, 100, HOUR)),
      retryCount: readCount(map, 'retries', range(2, 0, 20)),
      backoffMs: readDuration(map, 'backoff', range(10 * SECOND, 100, HOUR)),
    };
  }
  if (kind === 'approval') {
    const group = readNames(map, 'group', SUBJECT_RULE);
    return {
      kind,
      ...common,
      count: readCount(map, 'count', range(1, 1, 20)),
      group: group.length === 0 ? null : group,
      deadlineMs: readDuration(map, 'deadline', range(DAY, MINUTE, 30 * DAY)),
    };
  }
  const durationMs = readDuration(map, 'duration', range(null, SECOND, 30 * DAY));
  const named = readNames(map, 'environments', NAME_RULE);
  const stranger = named.find((one) => !promotesFrom.includes(one));
  if (stranger !== undefined) {
    throw refuse(place, map.line, `gate "${common.name}" soaks in "${stranger}", which is not in promotesFrom`);
  }
  const environments = named.length === 0 ? promotesFrom : named;
  if (environments.length === 0) {
    throw refuse(place, map.line, `gate "${common.name}" has nowhere to soak: promotesFrom is empty`);
  }
  const deadlineMs = readDuration(map, 'deadline', range(durationMs + DAY, durationMs, 60 * DAY));
  return { kind, ...common, durationMs, environments, deadlineMs };
}

const TARGET_KEYS = ['name', 'kind', 'component', 'directory', 'keep', 'health'] as const;

function readTarget(place: YamlPlace, node: Node): TargetDefinition {
  const kind = kindOf(place, node, TARGET_KINDS, 'a target');
  const map = readMap(place, node, `a target of kind ${kind}`, TARGET_KEYS);
  const health = map.fields.get('health');
  return {
    kind,
    name: readText(map, 'name', NAME_RULE),
    component: readText(map, 'component', NAME_RULE),
    directory: readText(map, 'directory', DIRECTORY_RULE).replace(/\/+$/, ''),
    keepCount: readCount(map, 'keep', range(3, 1, 100)),
    health: health === undefined ? null : readHealth(place, health),
  };
}

const HEALTH_KEYS = ['url', 'expectStatus', 'timeout', 'interval', 'threshold', 'deadline'] as const;

function readHealth(place: YamlPlace, node: Node): HttpHealthCheck {
  const map = readMap(place, node, 'a health check', HEALTH_KEYS);
  return {
    url: readText(map, 'url', URL_RULE),
    expectStatus: readCount(map, 'expectStatus', range(200, 100, 599)),
    timeoutMs: readDuration(map, 'timeout', range(5 * SECOND, 10, MINUTE)),
    intervalMs: readDuration(map, 'interval', range(SECOND, 10, MINUTE)),
    threshold: readCount(map, 'threshold', range(1, 1, 100)),
    deadlineMs: readDuration(map, 'deadline', range(MINUTE, 100, HOUR)),
  };
}

/** The kind is read before the other keys, because it says which there are. */
function kindOf<Kind extends string>(place: YamlPlace, node: Node, kinds: readonly Kind[], what: string): Kind {
  const keys = isMap(node) ? node.items.map(({ key }) => (isScalar(key) ? String(key.value) : '')) : [];
  return readWord(readMap(place, node, what, [...keys, 'kind']), 'kind', kinds, null);
}

function readNames(map: YamlMap, key: string, rule: TextRule): readonly string[] {
  const names = readList(map, key, LIST_LENGTH_MAX).map((item) =>
    textOf(map.place, item, `an entry of "${key}"`, rule),
  );
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw refuse(map.place, map.line, `"${key}" names "${repeated}" twice`);
  return names;
}

function readHeaders(map: YamlMap): Readonly<Record<string, string>> {
  const node = map.fields.get('headers');
  if (node === undefined) return {};
  if (!isMap(node)) throw refuse(map.place, map.line, '"headers" must be a mapping');
  if (node.items.length > HEADERS_MAX)
    throw refuse(map.place, map.line, `"headers" has more than ${HEADERS_MAX} entries`);
  const headers = node.items.map(({ key, value }): [string, string] => {
    const name = textOf(map.place, key as Node, 'a header', { pattern: /^[A-Za-z0-9-]{1,100}$/, expected: 'its name' });
    return [name.toLowerCase(), textOf(map.place, value as Node, `the header ${name}`, HEADER_VALUE_RULE)];
  });
  return Object.fromEntries(headers);
}

function refuseRepeated(map: YamlMap, what: string, named: readonly { readonly name: string }[]): void {
  const names = named.map((one) => one.name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw refuse(map.place, map.line, `two ${what}s are named "${repeated}"`);
}

/** Two targets that write into one directory would overwrite each other for ever. */
function refuseSharedDirectory(map: YamlMap, targets: readonly TargetDefinition[]): void {
  const directories = targets.map((target) => target.directory);
  const shared = directories.find((directory, index) => directories.indexOf(directory) !== index);
  if (shared !== undefined) throw refuse(map.place, map.line, `two targets share the directory ${shared}`);
}
