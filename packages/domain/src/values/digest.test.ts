import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, isDigest, parseDigest } from './digest.ts';

const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describe('digestOf', () => {
  it('is the SHA-256 that everybody knows', () => {
    expect(digestOf('')).toBe(EMPTY);
    expect(digestOf('abc')).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('agrees with another implementation, for bytes and for texts', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: 'binary' }), (bytes, text) => {
        expect(digestOf(bytes)).toBe(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
        expect(digestOf(text)).toBe(`sha256:${createHash('sha256').update(text, 'utf8').digest('hex')}`);
      }),
    );
  });
});

describe('parseDigest', () => {
  it('takes back every digest that was made', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const digest = digestOf(text);
        expect(parseDigest(digest)).toBe(digest);
      }),
    );
  });

  it.each([
    ['upper case', EMPTY.toUpperCase()],
    ['an upper case digit', EMPTY.replace('e3b0', 'E3b0')],
    ['one digit too few', EMPTY.slice(0, -1)],
    ['one digit too many', `${EMPTY}0`],
    ['no algorithm', EMPTY.slice(7)],
    ['another algorithm', EMPTY.replace('sha256', 'sha512')],
    ['a line break at the end', `${EMPTY}\n`],
    ['a space before', ` ${EMPTY}`],
    ['a number', 42],
    ['nothing', null],
    ['an object that prints like one', { toString: () => EMPTY }],
  ])('refuses %s', (_, value) => {
    expect(isDigest(value)).toBe(false);
    expect(() => parseDigest(value)).toThrow(expect.objectContaining({ code: 'input.digest' }));
  });

  it('does not repeat a long value in its error', () => {
    const refuse = (): unknown => parseDigest('x'.repeat(10_000));
    expect(refuse).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{1,250}$/) as unknown }));
  });
});
