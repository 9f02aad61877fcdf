import { describe, expect, it } from 'vitest';
import { fenceText, renderMarkdownTable } from './markdown.ts';

describe('renderMarkdownTable', () => {
  it('keeps bars and backslashes inside of their cells', () => {
    expect(renderMarkdownTable(['A', 'B'], [['a|b', 'c\\|d <br>']])).toBe(
      '| A | B |\n| --- | --- |\n| a\\|b | c\\\\\\|d &lt;br> |\n',
    );
  });
});

describe('fenceText', () => {
  it('cannot be ended by its text', () => {
    expect(fenceText('a\n````\nb')).toBe('`````\na\n````\nb\n`````\n');
    expect(fenceText('a')).toBe('```\na\n```\n');
  });
});
