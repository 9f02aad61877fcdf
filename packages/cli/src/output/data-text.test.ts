import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { toJsonText, toYamlText } from './data-text.ts';

const DANGEROUS = /[\u007f-\u009f\u202a-\u202e\u2066-\u2069\u2028\u2029]/;

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 10 }),
  fc.string({
    unit: fc.constantFrom(
      'a',
      '1',
      ':',
      ' ',
      '-',
      '#',
      '"',
      "'",
      '\n',
      '\t',
      '.',
      '/',
      '@',
      '{',
      '&',
      '*',
      '!',
      '%',
      '|',
      '~',
      '=',
    ),
    maxLength: 8,
  }),
  fc.constantFrom(
    'yes',
    'No',
    'null',
    '~',
    '1e3',
    '0x10',
    '1_000',
    '2026-11-24T02:36:00.000Z',
    '1:30',
    '=',
    '<<',
    '---',
    '',
    'a: b',
    'a #b',
    '\u009b2J',
    '\u202e',
    '.inf',
    'prm_01',
    'shop 1.0 (new)',
  ),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    text,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .dictionary(text, tie('value'), { maxKeys: 4, noNullPrototype: true })
      .filter((one) => !Object.hasOwn(one, '__proto__')),
  ),
}));

describe('toYamlText', () => {
  it('is what a YAML parser reads back, of version 1.2 and 1.1, and as harmless as JSON', () => {
    fc.assert(
      fc.property(value, (wanted) => {
        const plain: unknown = JSON.parse(JSON.stringify(wanted));
        const yaml = toYamlText(wanted);
        expect(parse(yaml, { version: '1.2' })).toEqual(plain);
        expect(parse(yaml, { version: '1.1', merge: false })).toEqual(plain);
        expect(yaml).not.toMatch(DANGEROUS);
        expect(yaml.endsWith('\n')).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('reads well', () => {
    const promotion = {
      id: 'prm_01',
      release: { name: 'shop-2.4.1' },
      createdAt: '2026-11-24T02:36:00.000Z',
      endedAt: null,
      reason: 'see the ticket: CAB-1',
      possible: ['stella promotion cancel prm_01'],
      gates: [{ gate: 'tests', attempts: [] }],
      skipped: undefined,
    };
    expect(toYamlText(promotion)).toBe(`id: prm_01
release:
  name: shop-2.4.1
createdAt: "2026-11-24T02:36:00.000Z"
endedAt: null
reason: "see the ticket: CAB-1"
possible:
  - stella promotion cancel prm_01
gates:
  - gate: tests
    attempts: []
`);
    expect(toYamlText([])).toBe('[]\n');
    expect(toYamlText('a')).toBe('a\n');
  });
});

describe('toJsonText', () => {
  it('is the same value, without characters that a terminal obeys', () => {
    fc.assert(
      fc.property(value, fc.boolean(), (wanted, isIndented) => {
        const json = toJsonText(wanted, isIndented);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(wanted)));
        expect(json).not.toMatch(DANGEROUS);
      }),
    );
  });

  it('is one line when asked for', () => {
    expect(toJsonText({ a: 'x\ny', b: [1] }, false)).toBe('{"a":"x\\ny","b":[1]}');
    expect(toJsonText({ a: '\u009b31m\u202e' }, false)).toBe('{"a":"\\u009b31m\\u202e"}');
  });
});
