/**
 * Reads typed fields out of YAML nodes. Every complaint names the file, the line and what was expected; a key that is not
 * known is an error that names the nearest (safety S16).
 */
import { AppError, nearestOf, parseDuration } from '@stella/domain';
import { isMap, isScalar, isSeq, type LineCounter, type Node } from 'yaml';

export interface YamlPlace {
  readonly file: string;
  readonly lines: LineCounter;
}

/** A mapping whose keys were checked. */
export interface YamlMap {
  readonly place: YamlPlace;
  readonly line: number;
  readonly fields: ReadonlyMap<string, Node>;
}

export function lineOf({ lines }: YamlPlace, node: Node | null | undefined): number {
  const offset = node?.range?.[0];
  return offset === undefined ? 1 : lines.linePos(offset).line;
}

export function refuse(place: YamlPlace, line: number, message: string): AppError {
  return new AppError('input.yaml', { details: { file: place.file, line, message } });
}

/** Errors: `input.yaml`, `input.unknown_key`. */
export function readMap(place: YamlPlace, node: unknown, what: string, known: readonly string[]): YamlMap {
  const line = lineOf(place, node as Node | null);
  if (!isMap(node)) throw refuse(place, line, `${what} must be a mapping`);
  const fields = new Map<string, Node>();
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : '';
    if (!known.includes(name)) {
      const nearest = nearestOf(name, known);
      throw new AppError('input.unknown_key', {
        details: { key: name, where: `${place.file}:${lineOf(place, key as Node)}`, nearest },
        hint: nearest === null ? `keys of ${what}: ${known.join(', ')}` : `did you mean "${nearest}"?`,
      });
    }
    // `key:` without a value is as good as no key.
    if (value !== null && !(isScalar(value) && value.value === null)) fields.set(name, value as Node);
  }
  return { place, line, fields };
}

export function readList(map: YamlMap, key: string, lengthMax: number): readonly Node[] {
  const node = map.fields.get(key);
  if (node === undefined) return [];
  if (!isSeq(node)) throw refuse(map.place, lineOf(map.place, node), `"${key}" must be a list`);
  if (node.items.length > lengthMax) {
    throw refuse(map.place, lineOf(map.place, node), `"${key}" has more than ${lengthMax} entries`);
  }
  return node.items as Node[];
}

export interface TextRule {
  readonly pattern: RegExp;
  /** What is expected, for the complaint. */
  readonly expected: string;
}

/** Null when the key is not there. */
export function readTextOrNull(map: YamlMap, key: string, rule: TextRule): string | null {
  const node = map.fields.get(key);
  if (node === undefined) return null;
  return textOf(map.place, node, `"${key}"`, rule);
}

export function readText(map: YamlMap, key: string, rule: TextRule): string {
  const text = readTextOrNull(map, key, rule);
  if (text !== null) return text;
  throw refuse(map.place, map.line, `"${key}" is missing; expected ${rule.expected}`);
}

/** A scalar node that is a text of the given form. */
export function textOf(place: YamlPlace, node: Node, what: string, { pattern, expected }: TextRule): string {
  const value = isScalar(node) ? node.value : undefined;
  if (typeof value === 'string' && pattern.test(value)) return value;
  const shown = typeof value === 'string' ? `"${value.slice(0, 60)}"` : JSON.stringify(value ?? null)?.slice(0, 60);
  throw refuse(place, lineOf(place, node), `${what} is ${shown}; expected ${expected}`);
}

export function readWord<Word extends string>(
  map: YamlMap,
  key: string,
  words: readonly Word[],
  standard: Word | null,
): Word {
  const node = map.fields.get(key);
  if (node === undefined) {
    if (standard !== null) return standard;
    throw refuse(map.place, map.line, `"${key}" is missing; expected one of ${words.join(', ')}`);
  }
  const value = isScalar(node) ? node.value : null;
  const word = words.find((one) => one === value);
  if (word !== undefined) return word;
  const nearest = nearestOf(String(value), words);
  const suggestion = nearest === null ? '' : `; did you mean "${nearest}"?`;
  const message = `"${key}" is "${String(value).slice(0, 60)}"; expected one of ${words.join(', ')}${suggestion}`;
  throw refuse(map.place, lineOf(map.place, node), message);
}

export interface NumberRule {
  readonly standard: number | null;
  readonly min: number;
  readonly max: number;
}

export function readCount(map: YamlMap, key: string, { standard, min, max }: NumberRule): number {
  const node = map.fields.get(key);
  if (node === undefined) {
    if (standard !== null) return standard;
    throw refuse(map.place, map.line, `"${key}" is missing; expected a whole number from ${min} to ${max}`);
  }
  const value = isScalar(node) ? node.value : null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw refuse(map.place, lineOf(map.place, node), `"${key}" must be a whole number from ${min} to ${max}`);
}

/** `5m` → milliseconds. */
export function readDuration(map: YamlMap, key: string, { standard, min, max }: NumberRule): number {
  const node = map.fields.get(key);
  if (node === undefined) {
    if (standard !== null) return standard;
    throw refuse(map.place, map.line, `"${key}" is missing; expected a duration such as 5m`);
  }
  const text = textOf(map.place, node, `"${key}"`, { pattern: /^/, expected: 'a duration such as 90s, 5m, 1h30m' });
  const line = lineOf(map.place, node);
  let valueMs: number;
  try {
    valueMs = parseDuration(text);
  } catch (error) {
    throw refuse(map.place, line, error instanceof Error ? error.message : 'not a duration');
  }
  if (valueMs < min || valueMs > max) throw refuse(map.place, line, `"${key}" is out of its range: ${text}`);
  return valueMs;
}
