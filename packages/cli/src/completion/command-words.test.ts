import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../commands/all.ts';
import { optionsOf, summaryOf } from '../program.ts';
import { type Next, nextWords } from './command-words.ts';

const next = (...typed: readonly string[]): Next => nextWords({ commands: COMMANDS, optionsOf, summaryOf }, typed);
const wordsOf = (...typed: readonly string[]): readonly string[] => {
  const found = next(...typed);
  return found.kind === 'words' ? found.words.map(({ value }) => value) : [found.name];
};

describe('the next word of a command line', () => {
  it.each([
    [[''], ['promotion', 'service', 'completion']],
    [
      ['promotion', 'ga'],
      ['gate', 'gates'],
    ],
    [
      ['orch', 'locks', ''],
      ['list', 'release'],
    ],
    [['service', 're'], ['restart']],
    [
      ['promotion', 'create', '--'],
      ['--release', '--to', '--wait', '--output', '--dry-run', '--server'],
    ],
    [['--'], ['--server', '--no-color']],
  ])('after %j may be %j', (typed, words) => {
    expect(wordsOf(...typed)).toEqual(expect.arrayContaining(words));
  });

  it.each<[readonly string[], string, readonly string[]]>([
    [['promotion', 'status', ''], 'promotion', []],
    [['promotion', 'gate', 'skip', 'prm_1', ''], 'gate', ['prm_1']],
    [['promotion', 'gate', 'skip', '--reason', 'slow', 'prm_1', 't'], 'gate', ['prm_1']],
    [['promotion', 'create', '--to', ''], 'environment', []],
    [['promotion', 'list', '-o', ''], 'format', []],
    [['apply', '-f', ''], 'path', []],
    [['apply', '-f', 'a.yaml', '--file', 'b'], 'path', []],
    [['service', 'restart', ''], 'service', []],
    [['-q', 'service', 'status', ''], 'service', []],
  ])('after %j is a value: %s', (typed, name, before) => {
    expect(next(...typed)).toEqual({ kind: 'value', name, before });
  });

  it('is an option after the last positional, and nothing after a word that is no command', () => {
    expect(wordsOf('promotion', 'status', 'prm_1', '')).toEqual(expect.arrayContaining(['--wait', '--output']));
    expect(wordsOf('promotion', 'nonsense', '')).toEqual([]);
    // The value of `--wait` may be left out: what follows is the next word.
    expect(wordsOf('promotion', 'status', '--wait', '')).toEqual(['promotion']);
  });

  it('tells what each noun is', () => {
    const found = next('');
    const unsaid = found.kind === 'words' ? found.words.filter(({ summary }) => summary === '') : null;
    expect(unsaid).toEqual([]);
  });
});
