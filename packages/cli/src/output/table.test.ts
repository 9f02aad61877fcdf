import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayWidth } from './display-width.ts';
import { COLOR_PAINT, PLAIN_PAINT } from './paint.ts';
import { renderTable } from './table.ts';

const ID = `prm_${'0123456789abcdef'.repeat(2)}`;
const DIGEST = `sha256:${'ab'.repeat(32)}`;

const plain = (width: number | null) => ({ width, paint: PLAIN_PAINT });

describe('renderTable', () => {
  it('puts columns two blanks apart, without blanks at the end of lines', () => {
    const text = renderTable(
      ['NAME', 'STATE', 'NOTE'],
      [
        ['dev', 'whole', ''],
        ['staging', 'empty', 'new'],
      ],
      plain(80),
    );
    expect(text).toBe('NAME     STATE  NOTE\ndev      whole\nstaging  empty  new\n');
  });

  it('folds sentences, never ids', () => {
    const text = renderTable(
      ['ID', 'GATE', 'MESSAGE'],
      [[ID, 'change-ticket', 'no answer within 60 s from https://cab.example/api']],
      plain(80),
    );
    expect(text).toBe(
      [
        'ID                                    GATE           MESSAGE',
        `${ID}  change-ticket  no answer within 60 s from`,
        '                                                     https://cab.example/api',
        '',
      ].join('\n'),
    );
  });

  it('keeps an id whole inside of a sentence', () => {
    const text = renderTable(['STEP', 'MESSAGE'], [['acquire_locks', `waits behind ${ID} which deploys`]], plain(52));
    expect(text).toContain(ID);
  });

  it('turns into blocks when ids and digests do not fit side by side', () => {
    const text = renderTable(
      ['ID', 'DIGEST', 'MESSAGE'],
      [
        [ID, DIGEST, 'runs'],
        [ID, DIGEST, `a long sentence that does not fit into the rest of a line of eighty columns`],
      ],
      plain(80),
    );
    expect(text).toBe(
      [
        `ID       ${ID}`,
        `DIGEST   ${DIGEST}`,
        'MESSAGE  runs',
        '',
        `ID       ${ID}`,
        `DIGEST   ${DIGEST}`,
        'MESSAGE  a long sentence that does not fit into the rest of a line of eighty',
        '         columns',
        '',
      ].join('\n'),
    );
  });

  it('writes one line per row where there is no width', () => {
    const text = renderTable(['ID', 'DIGEST', 'MESSAGE'], [[ID, DIGEST, 'word '.repeat(50).trim()]], plain(null));
    expect(text.split('\n')).toHaveLength(3);
  });

  it('keeps wide characters in line', () => {
    const text = renderTable(
      ['NAME', 'X'],
      [
        ['本番', '1'],
        ['dev', '2'],
      ],
      plain(80),
    );
    expect(text).toBe('NAME  X\n本番  1\ndev   2\n');
  });

  it('colours states below the titles of states only', () => {
    const text = renderTable(['RELEASE', 'STATUS'], [['failed', 'failed']], { width: 80, paint: COLOR_PAINT });
    expect(text).toBe('\u001b[2mRELEASE\u001b[0m  \u001b[2mSTATUS\u001b[0m\nfailed   \u001b[31mfailed\u001b[0m\n');
  });

  it('shows every word of every cell, within the width unless a word is wider', () => {
    const word = fc.oneof(
      fc.stringMatching(/^[a-z]{1,12}$/),
      fc.constantFrom(ID, DIGEST, '本番', 'https://a.example/b'),
    );
    const cell = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '));
    const rows = fc
      .integer({ min: 1, max: 5 })
      .chain((count) =>
        fc.array(fc.array(cell, { minLength: count, maxLength: count }), { minLength: 1, maxLength: 4 }),
      );
    fc.assert(
      fc.property(rows, fc.integer({ min: 20, max: 160 }), (cells, width) => {
        const titles = (cells[0] ?? []).map((_cell, index) => `T${index}`);
        const text = renderTable(titles, cells, plain(width));
        const squeezed = text.replace(/\s/g, '');
        const whole = cells.flat().flatMap((one) => one.split(' ').filter((part) => /^(prm_|sha256:)/.test(part)));
        expect(whole.filter((one) => !text.includes(one))).toEqual([]);
        const letters = cells.flat().join('').replace(/\s/g, '').length + titles.join('').length;
        expect(squeezed.length).toBeGreaterThanOrEqual(letters);
        const tooWide = text.split('\n').filter((line) => displayWidth(line) > width);
        // Only a line that holds an unbreakable word may be wider: an id, a digest, or a column of single words.
        expect(tooWide.filter((line) => !/prm_|sha256:/.test(line) && width >= 40)).toEqual([]);
      }),
    );
  });
});
