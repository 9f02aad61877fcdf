import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toStorableText } from './storable-text.ts';

describe('toStorableText', () => {
  it('replaces U+0000 and halves of pairs, and nothing else', () => {
    expect(toStorableText('a\u0000b\ud83dc\ude00d\u{1f600}')).toBe('a\ufffdb\ufffdc\ufffdd\u{1f600}');
  });

  it('bug: leaves nothing that PostgreSQL refuses in a text of any answer cut anywhere', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat({ max: 20 }), (text, length) => {
        const storable = toStorableText(text.slice(0, length));
        expect(Buffer.from(storable, 'utf8').toString('utf8')).toBe(storable);
        expect(storable).not.toContain('\u0000');
        expect(storable).toHaveLength(Math.min(text.length, length));
      }),
    );
  });
});
