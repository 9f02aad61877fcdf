/** The tab key in a real bash, on the script that `stella completion bash` prints: offline, and with a real server. */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStage, type Stage } from './stage.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'dist', 'main.mjs');
const TIMEOUT_MS = 30_000;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  const stella = join(stage.directory, 'stella');
  writeFileSync(stella, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
  chmodSync(stella, 0o755);
  await stage.run('stella apply -f environments', 'admin');
});
afterAll(() => stage.remove());

/** What bash offers when the tab key is pressed after these words; the last one is being typed. */
function press(words: readonly string[], server = stage.server.url): readonly string[] {
  const script = `
    source <(stella completion bash)
    COMP_WORDS=(stella "$@"); COMP_CWORD=$#
    _stella
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = {
    PATH: `${stage.directory}${delimiter}${process.env['PATH']}`,
    HOME: stage.directory,
    STELLA_SERVER: server,
    STELLA_TOKEN_FILE: join(stage.dataDir, 'admin.token'),
  };
  const options = { env, cwd: stage.directory, encoding: 'utf8', timeout: TIMEOUT_MS } as const;
  const answer = execFileSync('bash', ['--norc', '-c', script, 'bash', ...words], options);
  return answer.split('\n').filter((line) => line !== '');
}

describe('the tab key', () => {
  it('knows commands and options without a server', () => {
    const nowhere = 'http://127.0.0.1:1';
    expect(press(['serv'], nowhere)).toEqual(['service']);
    expect(press(['service', 'st'], nowhere)).toEqual(['start', 'stop', 'status']);
    expect(press(['service', 'restart', ''], nowhere)).toEqual(['orchestrator']);
    expect(press(['promotion', 'status', 'x', '--wa'], nowhere)).toEqual(['--watch', '--wait']);
    expect(press(['promotion', 'status', ''], nowhere)).toEqual([]);
  });

  it('knows names from the server', () => {
    expect(press(['environment', 'show', ''])).toEqual(['dev', 'prod']);
    expect(press(['environment', 'show', 'p'])).toEqual(['prod']);
    expect(press(['orch', 'config', 'get', 'locks.'])).toContain('locks.timeout');
  });

  it('asks for files where a file is meant', () => {
    expect(press(['apply', '-f', ''])).toEqual([]);
  });
});
