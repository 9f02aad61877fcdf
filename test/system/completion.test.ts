/** The tab key in real shells beside bash: zsh through its own completion system in a pseudo-terminal, and fish. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const TIMEOUT_MS = 60_000;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'stella-completion-'));
  const program = join(ROOT, 'packages', 'cli', 'dist', 'main.mjs');
  writeFileSync(join(directory, 'stella'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  chmodSync(join(directory, 'stella'), 0o755);
  writeFileSync(join(directory, 'prod.yaml'), '');
}, TIMEOUT_MS);
afterAll(() => rmSync(directory, { recursive: true }));

function runShell(shell: string, words: readonly string[]): string {
  const env = { PATH: `${directory}${delimiter}${process.env['PATH']}`, HOME: directory, TERM: 'dumb' };
  return execFileSync(shell, words, { cwd: directory, env, encoding: 'utf8', timeout: TIMEOUT_MS });
}

describe('fish', () => {
  const press = (line: string): readonly string[] =>
    runShell('fish', ['--no-config', '-c', `stella completion fish | source; complete -C '${line}'`])
      .split('\n')
      .filter((word) => word !== '');

  it('offers commands with what they do', () => {
    expect(press('stella service re')).toEqual([expect.stringMatching(/^restart\tDrain/) as string]);
    expect(press('stella service restart ')).toEqual(['orchestrator']);
    expect(press('stella promotion status x --wat')).toEqual([expect.stringMatching(/^--watch\t/) as string]);
  });

  it('offers files where a file is meant', () => {
    expect(press('stella apply -f pro').map((word) => word.split('\t')[0])).toEqual(['prod.yaml']);
  });
});

describe('zsh', () => {
  /** The screen after the tab key; the line is made a comment and entered, which shows it whole. */
  const press = (line: string): string => {
    const script = `
      zmodload zsh/zpty
      zpty shell zsh -f -i
      zpty -w shell 'PS1=; autoload -Uz compinit; compinit -u -d ${directory}/.zcompdump; source <(stella completion zsh); print rea""dy'
      zpty -r shell seen '*ready*'
      zpty -w -n shell $'${line}\\t\\C-a: \\C-e\\n'
      zpty -w shell 'print do""ne'
      zpty -r shell seen '*done*'
      print -r -- "$seen"`;
    return runShell('zsh', ['-f', '-c', script]);
  };

  it('completes commands, and files where a file is meant', () => {
    expect(press('stella service rest')).toContain(': stella service restart');
    expect(press('stella service restart orch')).toContain(': stella service restart orchestrator');
    expect(press('stella apply -f pro')).toContain(': stella apply -f prod.yaml');
  });
});
