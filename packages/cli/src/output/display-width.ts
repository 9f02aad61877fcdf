/** How many columns of a terminal a text takes, and how it is folded to fewer. For texts without control characters. */

/**
 * Nearly all texts are of these, where a character is a column: ASCII, Latin-1, dashes, quotes, ellipsis, arrows. For others
 * the segmenter is asked, which takes longer to load than most commands to run.
 */
const PLAIN = /^[\x20-\x7e\u00a1-\u00ac\u00ae-\u00ff\u2010-\u2027\u2190-\u21ff]*$/;
/** Take two columns (Unicode Annex 11, wide and fullwidth; and emoji, which terminals draw as wide). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
/** Take no column of their own: marks above and below, joiners, variation selectors. */
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

let graphemes: Intl.Segmenter | null = null;

function segment(text: string): readonly string[] {
  if (PLAIN.test(text)) return text.split('');
  graphemes ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return Array.from(graphemes.segment(text), (part) => part.segment);
}

function widthOfGrapheme(grapheme: string): number {
  if (ZERO.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/** `'prod'` → 4, `'本番'` → 4. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  return segment(text).reduce((sum, grapheme) => sum + widthOfGrapheme(grapheme), 0);
}

export function padToWidth(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/**
 * Lines of at most `width` columns, broken at blanks. A word that is longer is broken inside, unless `isWhole` says that
 * it must stay whole: then its line is longer. Always at least one line; no character but blanks is lost.
 */
export function foldText(text: string, width: number, isWhole: (word: string) => boolean): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').filter((one) => one !== '')) {
    const together = line === '' ? word : `${line} ${word}`;
    if (displayWidth(together) <= width) {
      line = together;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    if (isWhole(word)) continue;
    const pieces = breakWord(word, width);
    lines.push(...pieces.slice(0, -1));
    line = pieces.at(-1) ?? '';
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line];
}

function breakWord(word: string, width: number): readonly string[] {
  const pieces: string[] = [];
  let piece = '';
  let taken = 0;
  for (const grapheme of segment(word)) {
    const more = widthOfGrapheme(grapheme);
    if (taken + more > width && piece !== '') {
      pieces.push(piece);
      piece = '';
      taken = 0;
    }
    piece += grapheme;
    taken += more;
  }
  return [...pieces, piece];
}

/** As much of the text as fits; for lines that are overwritten a moment later, never for data. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  return width < 2 ? '' : `${breakWord(text, width - 1)[0] ?? ''}…`;
}
