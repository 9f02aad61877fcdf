import { describe, expect, it } from 'vitest';
import { type DirectoryNode, makeRoot } from './tree-nodes.ts';
import { differenceIn, recordsOfTree } from './tree-records.ts';

const SHA = 'ab'.repeat(32);

function wordsOf(...records: readonly string[]): string | null {
  const difference = differenceIn([...records, '.', ''].join('\0'));
  return difference.kind === 'known' ? difference.words : 'unknown';
}

describe('the records of a tree', () => {
  it('name everything in the order of their bytes, links with what they say', () => {
    const root = makeRoot();
    const css: DirectoryNode = { kind: 'directory', mode: 0o755, layer: 0, children: new Map() };
    root.children.set('css', css);
    css.children.set('a.css', { kind: 'file', mode: 0o644, layer: 0, sizeBytes: 2, sha256: SHA });
    root.children.set('to', { kind: 'symlink', layer: 0, target: 'css//a.css' });
    expect(recordsOfTree(root).toString().split('\0')).toEqual([
      `${SHA}  ./css/a.css`,
      'd 755 ./css',
      'f 644 2 ./css/a.css',
      'l ./to//css//a.css',
      '',
    ]);
  });

  it('are in words when they differ', () => {
    expect(wordsOf()).toBeNull();
    expect(wordsOf('f 644 2 ./a b', '\tf 600 2 ./a b')).toBe('"a b" was changed');
    expect(wordsOf('l ./to//css', '\tl ./to///etc')).toBe('"to" was changed');
    expect(wordsOf(`${SHA}  ./a`)).toBe('"a" is missing or cannot be read');
    expect(wordsOf('\tx p ./pipe\n')).toBe('"pipe?" does not belong to it');
  });

  it('agree only when the comparison came to its end', () => {
    expect(differenceIn('')).toEqual({ kind: 'unknown' });
  });
});
