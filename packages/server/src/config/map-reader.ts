/**
 * Reads a YAML mapping by a schema that is written as code: each call names a key, its type, its limits and its default.
 * What is wrong is noted with its place and a harmless value is answered, so that one run finds every mistake; nothing
 * that was read counts unless `Findings` stayed empty.
 */
import { formatDuration, isAppError, type Json, type JsonMap, nearestOf, parseDuration } from '@stella/domain';
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';
import type { Findings } from './findings.ts';
import type { YamlDocument } from './yaml-documents.ts';

/** Answers what is wrong with a text, null when nothing is. */
export type TextCheck = (value: string) => string | null;

/** Of what is taken as it is; a Compose file needs 7. */
const JSON_DEPTH_MAX = 30;
/** Larger ones lose their decimals. */
const DECIMAL_MAX = 1_000_000_000;

export interface NumberRule {
  readonly min: number;
  readonly max: number;
  /** Value of an absent key; without it the key is required. */
  readonly standard?: number;
}

export interface ListRule {
  readonly countMax: number;
  /** The key must be there, and not be empty. */
  readonly isRequired?: boolean;
}

export interface MapReader {
  /** Notes every key that is not `known`. `elsewhere` says where a key that is known belongs: `{count: 'approval'}`. */
  allow(known: readonly string[], elsewhere?: (key: string) => string | null): void;
  /** Of an absent required key `''`; of a refused text the text itself. Both are noted. */
  text(key: string, check: TextCheck, standard?: string): string;
  /** Null when it is noted. */
  choice<Choice extends string>(key: string, among: readonly Choice[], standard?: Choice): Choice | null;
  /** `true` or `false`. */
  flag(key: string, standard: boolean): boolean;
  count(key: string, rule: NumberRule): number;
  /** Null when the key is absent, or what is there is noted. At most 6 decimals, so that every store writes it the same. */
  decimal(key: string): number | null;
  /** Milliseconds of `90s`, `1h30m`. */
  duration(key: string, rule: NumberRule): number;
  /** Null when the key is absent. Refused and repeated texts are noted and still in the list. */
  texts(key: string, check: TextCheck, rule: ListRule): readonly string[] | null;
  /** As `texts`, in their order and with those that are repeated. */
  list(key: string, check: TextCheck, rule: ListRule): readonly string[] | null;
  /** A mapping whose keys are free; empty when the key is absent. */
  pairs(key: string, check: (name: string, value: string) => string | null, countMax: number): Record<string, string>;
  /** A mapping of anything, as JSON; empty, and noted, when it is none, or longer than so many characters as such. */
  json(key: string, lengthMax: number): JsonMap;
  /** Null when the key is absent or no mapping. */
  map(key: string): MapReader | null;
  /** Empty when the key is absent; what is no mapping is noted and left out. */
  maps(key: string, rule: ListRule): readonly MapReader[];
  /** The key is given. */
  has(key: string): boolean;
  /** Notes a fault at the key's value, or at the mapping when the key is absent. */
  refuse(key: string, message: string): void;
  readonly line: number;
}

interface Source {
  readonly document: YamlDocument;
  readonly findings: Findings;
}

/** Null, and noted, when the node is no mapping. `what` names it: `an environment`. */
export function readMap(source: Source, node: Node, what: string): MapReader | null {
  const { document, findings } = source;
  const found = follow(source, node);
  if (!isMap<Node, Node | null>(found)) {
    if (found) findings.note(document.placeOf(node), `expected ${what} as a mapping, not ${describe(found)}`);
    return null;
  }
  const entries = new Map<string, Entry>();
  for (const pair of found.items) {
    const name = readKey(source, pair);
    if (name === null) continue;
    const earlier = entries.get(name);
    if (earlier) {
      const { line } = document.placeOf(earlier.key);
      findings.note(document.placeOf(pair.key), `the key "${name}" is given twice, first in line ${line}`);
    } else {
      entries.set(name, { key: pair.key, value: pair.value ? (follow(source, pair.value) ?? pair.value) : null });
    }
  }
  return new NodeMapReader(source, node, entries);
}

interface Entry {
  readonly key: Node;
  /** Null when it is empty; an alias only when that leads nowhere, which is noted already. */
  readonly value: Node | null;
}

/** Through an alias to its node. Null, and noted, when its anchor is unknown. */
function follow({ document, findings }: Source, node: Node): Node | null {
  if (!isAlias(node)) return node;
  const target = document.resolve(node);
  if (!target) findings.note(document.placeOf(node), `no anchor "&${node.source}" stands before this alias`);
  return target;
}

function readKey({ document, findings }: Source, { key }: Pair<Node, Node | null>): string | null {
  if (isScalar(key) && typeof key.value === 'string') return key.value;
  findings.note(document.placeOf(key), `expected a name as key, not ${describe(key)}`);
  return null;
}

class NodeMapReader implements MapReader {
  private readonly source: Source;
  private readonly node: Node;
  private readonly entries: ReadonlyMap<string, Entry>;
  /** Known keys that an unknown one was probably meant to be; that they are missing is no second mistake. */
  private readonly mistyped = new Set<string>();

  constructor(source: Source, node: Node, entries: ReadonlyMap<string, Entry>) {
    this.source = source;
    this.node = node;
    this.entries = entries;
  }

  get line(): number {
    return this.source.document.placeOf(this.node).line;
  }

  allow(known: readonly string[], elsewhere: (key: string) => string | null = () => null): void {
    const { document, findings } = this.source;
    for (const [name, { key }] of this.entries) {
      if (known.includes(name)) continue;
      const nearest = nearestOf(name, known);
      if (nearest !== null) this.mistyped.add(nearest);
      findings.noteUnknownKey(document.placeOf(key), { key: name, nearest, known, elsewhere: elsewhere(name) });
    }
  }

  text(key: string, check: TextCheck, standard?: string): string {
    const node = this.find(key, standard !== undefined);
    return node ? this.readText(key, node, check) : (standard ?? '');
  }

  choice<Choice extends string>(key: string, among: readonly Choice[], standard?: Choice): Choice | null {
    const text = this.text(key, (value) => checkChoice(value, among), standard);
    return among.find((one) => one === text) ?? null;
  }

  flag(key: string, standard: boolean): boolean {
    const node = this.find(key, true);
    if (!node) return standard;
    const value = isScalar(node) ? node.value : null;
    if (typeof value === 'boolean') return value;
    this.note(node, `${key}: expected true or false, not ${describe(node)}`);
    return standard;
  }

  count(key: string, { min, max, standard }: NumberRule): number {
    const node = this.find(key, standard !== undefined);
    if (!node) return standard ?? min;
    const value = isScalar(node) ? node.value : null;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    this.note(node, `${key}: expected a whole number from ${min} to ${max}, not ${describe(node)}`);
    return min;
  }

  decimal(key: string): number | null {
    const node = this.find(key, true);
    if (!node) return null;
    const value = isScalar(node) ? node.value : null;
    const isFit = typeof value === 'number' && Math.abs(value) <= DECIMAL_MAX && Number(value.toFixed(6)) === value;
    if (isFit) return value;
    this.note(node, `${key}: expected a number of at most 6 decimals, not ${describe(node)}`);
    return null;
  }

  duration(key: string, { min, max, standard }: NumberRule): number {
    const node = this.find(key, standard !== undefined);
    if (!node) return standard ?? min;
    const text = isScalar(node) && typeof node.value === 'string' ? node.value : null;
    const durationMs = text === null ? null : toDurationMs(text);
    if (durationMs === null) {
      this.note(node, `${key}: expected a duration such as 90s, 5m, 1h30m or 2d, not ${describe(node)}`);
      return min;
    }
    if (durationMs >= min && durationMs <= max) return durationMs;
    this.note(node, `${key}: ${text ?? ''} is outside of ${formatDuration(min)} to ${formatDuration(max)}`);
    return min;
  }

  texts(key: string, check: TextCheck, rule: ListRule): readonly string[] | null {
    const nodes = this.nodesOf(key, rule);
    if (!nodes) return null;
    const texts = new Set<string>();
    for (const node of nodes) {
      const text = this.readText(key, node, check);
      if (text !== '' && texts.has(text)) this.note(node, `${key}: "${text}" is listed twice`);
      texts.add(text);
    }
    return [...texts];
  }

  list(key: string, check: TextCheck, rule: ListRule): readonly string[] | null {
    return this.nodesOf(key, rule)?.map((node) => this.readText(key, node, check)) ?? null;
  }

  pairs(key: string, check: (name: string, value: string) => string | null, countMax: number): Record<string, string> {
    const node = this.find(key, true);
    const map = node ? readMap(this.source, node, key) : null;
    if (!node || !(map instanceof NodeMapReader)) return {};
    if (map.entries.size > countMax) this.note(node, `${key}: more than ${countMax} entries`);
    const names = [...map.entries.keys()].slice(0, countMax);
    return Object.fromEntries(names.map((name) => [name, map.text(name, (value) => check(name, value))]));
  }

  json(key: string, lengthMax: number): JsonMap {
    const node = this.find(key, false);
    if (!node) return {};
    const found = isMap(node) ? toJson(this.source, node, { left: lengthMax, depth: 0 }) : null;
    if (isJsonMap(found)) return found;
    const limits = `of plain values, at most ${lengthMax} characters and ${JSON_DEPTH_MAX} levels deep`;
    this.note(node, `${key}: expected a mapping ${limits}${isMap(node) ? '' : `, not ${describe(node)}`}`);
    return {};
  }

  map(key: string): MapReader | null {
    const node = this.find(key, true);
    return node ? readMap(this.source, node, key) : null;
  }

  maps(key: string, rule: ListRule): readonly MapReader[] {
    return (this.nodesOf(key, rule) ?? []).flatMap((node) => readMap(this.source, node, `an entry of ${key}`) ?? []);
  }

  has(key: string): boolean {
    return this.entries.has(key);
  }

  refuse(key: string, message: string): void {
    this.note(this.entries.get(key)?.value ?? this.entries.get(key)?.key ?? this.node, message);
  }

  /** Null when the key is absent; noted when it is required, or has no value. */
  private find(key: string, isOptional: boolean): Node | null {
    const entry = this.entries.get(key);
    if (!entry) {
      if (!isOptional && !this.mistyped.has(key)) this.note(this.node, `the key "${key}" is missing`);
      return null;
    }
    const { value } = entry;
    if (isAlias(value)) return null;
    if (value !== null && !(isScalar(value) && value.value === null)) return value;
    this.note(entry.key, `the key "${key}" has no value; leave it out or give one`);
    return null;
  }

  private nodesOf(key: string, { countMax, isRequired = false }: ListRule): readonly Node[] | null {
    const node = this.find(key, !isRequired);
    if (!node) return null;
    if (!isSeq<Node>(node)) {
      this.note(node, `${key}: expected a list, not ${describe(node)}`);
      return [];
    }
    if (isRequired && node.items.length === 0) this.note(node, `${key}: expected at least one entry`);
    if (node.items.length > countMax) this.note(node, `${key}: more than ${countMax} entries`);
    return node.items.slice(0, countMax).flatMap((item) => follow(this.source, item) ?? []);
  }

  private readText(key: string, node: Node, check: TextCheck): string {
    if (!isScalar(node) || typeof node.value !== 'string') {
      const quotes = isScalar(node) ? '; write it in quotes' : '';
      this.note(node, `${key}: expected a text, not ${describe(node)}${quotes}`);
      return '';
    }
    const fault = check(node.value);
    if (fault !== null) this.note(node, `${key}: ${fault}`);
    return node.value;
  }

  private note(node: Node, message: string): void {
    this.source.findings.note(this.source.document.placeOf(node), message);
  }
}

/**
 * Undefined when it is too long or too deep, as a mapping is that holds itself, or has what JSON has not. `left` are the
 * characters that it may still have.
 */
function toJson(source: Source, given: Node, budget: { left: number; readonly depth: number }): Json | undefined {
  const node = follow(source, given);
  budget.left -= 2;
  if (!node || budget.left < 0 || budget.depth > JSON_DEPTH_MAX) return undefined;
  if (isScalar(node)) {
    const { value } = node;
    if (typeof value === 'string') budget.left -= value.length;
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  }
  const inner = { left: budget.left, depth: budget.depth + 1 };
  const members = isSeq<Node>(node) ? listToJson(source, node.items, inner) : mapToJson(source, node, inner);
  budget.left = inner.left;
  return members;
}

type Budget = Parameters<typeof toJson>[2];

function listToJson(source: Source, nodes: readonly Node[], budget: Budget): Json | undefined {
  const items = nodes.map((item) => toJson(source, item, budget));
  return items.every((item) => item !== undefined) ? items : undefined;
}

function mapToJson(source: Source, node: Node, budget: Budget): Json | undefined {
  if (!isMap<Node, Node | null>(node)) return undefined;
  const members = new Map<string, Json>();
  for (const { key, value } of node.items) {
    const name = isScalar(key) && typeof key.value === 'string' ? key.value : null;
    const member = value ? toJson(source, value, budget) : null;
    budget.left -= name?.length ?? 0;
    if (name === null || member === undefined || members.has(name)) return undefined;
    members.set(name, member);
  }
  // Also "__proto__" is a key like any other then.
  return Object.fromEntries(members);
}

function isJsonMap(value: Json | null | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkChoice(value: string, among: readonly string[]): string | null {
  if (among.includes(value)) return null;
  const nearest = nearestOf(value, among);
  return `expected ${among.join(' or ')}, not "${value}"${nearest === null ? '' : `; did you mean "${nearest}"?`}`;
}

function toDurationMs(text: string): number | null {
  try {
    return parseDuration(text);
  } catch (error) {
    if (isAppError(error, 'input.duration')) return null;
    throw error;
  }
}

const QUOTED_LENGTH_MAX = 60;

/** For messages: `the text "prod"`, `the number 5`, `a list`. */
function describe(node: Node): string {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  const value = isScalar(node) ? node.value : null;
  if (value === null) return 'an empty value';
  if (typeof value === 'string') return `the text "${value.slice(0, QUOTED_LENGTH_MAX)}"`;
  return `the ${typeof value} ${JSON.stringify(value).slice(0, QUOTED_LENGTH_MAX)}`;
}
