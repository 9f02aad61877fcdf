import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JSON_DEPTH_MAX, parseStrictJson } from './strict-json.ts';

const parse = (text: string): unknown => parseStrictJson(Buffer.from(text), (message) => new Error(message));

describe('parseStrictJson', () => {
  it('reads whatever JSON.stringify writes, unless it is too deep', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses a member that is there twice, at any place', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1, maxKeys: 5 });
    fc.assert(
      fc.property(object, fc.nat(), fc.nat({ max: 3 }), (value, pick, depth) => {
        const members = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(item)}`);
        const doubled = `{${[...members, members[pick % members.length]].join(',')}}`;
        const text = `${'[{"a":'.repeat(depth)}${doubled}${'}]'.repeat(depth)}`;
        expect(() => parse(text)).toThrow('the same key twice');
      }),
    );
  });

  it.each(['{"a":1,"\\u0061":2}', '{"x":{"a":1,"b":[{}],"a":2}}', '[{"a":1},{"b":2,"b":3}]'])('refuses %s', (text) => {
    expect(() => parse(text)).toThrow('the same key twice');
  });

  it.each(['{"a":{"a":1},"b":{"a":1}}', '[{"a":1},{"a":1}]', '{"a":"a","b":"a"}', '{"a":"{\\"a\\":1,","b":["a","a"]}'])(
    'accepts %s',
    (text) => {
      expect(parse(text)).toEqual(JSON.parse(text));
    },
  );

  it.each(['', '\\', '\\\n'])(
    'refuses escaped quotes without an end before %j in linear time',
    (end) => {
      // With a scan that begins anew at each quote it takes 15 s, and the time of four megabytes is hours.
      expect(() => parse(`{"${'\\"'.repeat(75_000)}${end}`)).toThrow('not valid JSON');
    },
    5_000,
  );

  it('refuses what is nested too deep', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parse(nested(JSON_DEPTH_MAX))).toBeInstanceOf(Array);
    expect(() => parse(nested(JSON_DEPTH_MAX + 1))).toThrow('deeper than 32 levels');
  });
});
