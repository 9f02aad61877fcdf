import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutToWidth, displayWidth, foldText, padToWidth } from './display-width.ts';

describe('displayWidth', () => {
  it.each([
    ['', 0],
    ['prod', 4],
    ['ä', 1],
    ['a\u0308', 1],
    ['本番', 4],
    ['한', 2],
    ['ｆ', 2],
    ['🚀', 2],
    ['👩‍🚀', 2],
    ['→ · …', 5],
    ['\u200b', 0],
  ])('of %j is %i', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it('pads to it', () => {
    expect(padToWidth('本', 4)).toBe('本  ');
    expect(padToWidth('long', 2)).toBe('long');
  });
});

describe('foldText', () => {
  const never = (): boolean => false;

  it('breaks at blanks, and inside of words only when it must', () => {
    expect(foldText('the gate did not answer', 10, never)).toEqual(['the gate', 'did not', 'answer']);
    expect(foldText('see abcdefghijkl now', 5, never)).toEqual(['see', 'abcde', 'fghij', 'kl', 'now']);
    expect(foldText('see abcdefghijkl now', 5, (word) => word.startsWith('abc'))).toEqual([
      'see',
      'abcdefghijkl',
      'now',
    ]);
    expect(foldText('', 5, never)).toEqual(['']);
  });

  it('loses nothing but blanks and keeps to the width', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'ä', '本', '🚀'), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 20 }), (value, width) => {
        const lines = foldText(value, width, never);
        expect(lines.join('').replaceAll(' ', '')).toBe(value.replaceAll(' ', ''));
        expect(lines.filter((line) => displayWidth(line) > width)).toEqual([]);
        expect(lines.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('cutToWidth', () => {
  it('keeps what fits and marks what does not', () => {
    expect(cutToWidth('deploy', 6)).toBe('deploy');
    expect(cutToWidth('deploy', 5)).toBe('depl…');
    expect(cutToWidth('本番環境', 4)).toBe('本…');
    expect(cutToWidth('deploy', 0)).toBe('');
  });
});
