import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, type Json } from './canonical-json.ts';

/** JSON values as `JSON.parse` would give them; -0 and 0 are one number there. */
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as Json);

describe('canonicalJson', () => {
  it('keeps the value', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(value);
      }),
    );
  });

  it('does not depend on the order in which members were set', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(fc.string(), json), { selector: ([key]) => key }), (members) => {
        // A member called __proto__ cannot be set by a literal, but fromEntries defines it like any other.
        const there = canonicalJson(Object.fromEntries(members));
        expect(canonicalJson(Object.fromEntries([...members].reverse()))).toBe(there);
      }),
    );
  });

  it('gives two different values two different texts', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        const areSame = JSON.stringify(sortedAll(a)) === JSON.stringify(sortedAll(b));
        expect(canonicalJson(a) === canonicalJson(b)).toBe(areSame);
      }),
    );
  });

  it('sorts by UTF-16 code units, as RFC 8785 section 3.2.3 shows', () => {
    const value = {
      '€': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '😀': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      ö: 'Latin Small Letter O With Diaeresis',
    };
    const names = [...canonicalJson(value).matchAll(/:"([^"]+)"/g)].map((match) => match[1]);
    expect(names).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  it.each([
    [{ b: 1, a: [1, { d: null, c: true }] }, '{"a":[1,{"c":true,"d":null}],"b":1}'],
    [{ a: undefined, b: 1 }, '{"b":1}'],
    [-0, '0'],
    [1e21, '1e+21'],
    [1e-7, '1e-7'],
    ['\u000f"\\\n', '"\\u000f\\"\\\\\\n"'],
    [{}, '{}'],
    [[], '[]'],
  ])('writes %j', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('refuses %s', (value) => {
    expect(() => canonicalJson({ value })).toThrow(RangeError);
  });

  it('writes half a character as an escape, so that what is hashed is valid UTF-8', () => {
    expect(canonicalJson({ '\udc00': '\ud800' })).toBe('{"\\udc00":"\\ud800"}');
  });
});

function sortedAll(value: Json): Json {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return ['list', ...value.map((item: Json) => sortedAll(item))];
  const members = Object.entries(value as { readonly [key: string]: Json }).sort(([a], [b]) => (a < b ? -1 : 1));
  return ['object', ...members.map(([key, item]) => [key, sortedAll(item)])];
}
