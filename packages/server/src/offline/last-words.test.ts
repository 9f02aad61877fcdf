/** What is read from the ends of logs, and what of a process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { readErrorLines, readFatalLines } from './last-words.ts';
import { readProcessState } from './process-state.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stella-words-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function log(...lines: readonly string[]): Promise<string> {
  const path = join(directory, 'log');
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

describe('the last words of PostgreSQL', () => {
  it('are those since it was ready last', async () => {
    const path = await log(
      '2026-01-01 UTC [1] FATAL:  an old one',
      '2026-01-01 UTC [1] LOG:  database system is ready to accept connections',
      '2026-01-01 UTC [1] LOG:  checkpoint',
      '2026-01-01 UTC [1] PANIC:  could not write to file: No space left on device',
    );
    expect(await readFatalLines(nodeFileSystem, path)).toEqual([
      '2026-01-01 UTC [1] PANIC:  could not write to file: No space left on device',
    ]);
  });

  it('are not those by which it turns sessions away while it is stopped or starts', async () => {
    const path = await log(
      'LOG:  database system is ready to accept connections',
      'x FATAL:  could not open file "global/pg_filenode.map": Input/output error',
      'x FATAL:  terminating connection due to administrator command',
      'x FATAL:  terminating autovacuum process due to administrator command',
      'x FATAL:  the database system is shutting down',
      'x FATAL:  the database system is starting up',
    );
    expect(await readFatalLines(nodeFileSystem, path)).toEqual([
      'x FATAL:  could not open file "global/pg_filenode.map": Input/output error',
    ]);
  });

  it('are found at the end of a log that is too long to read', async () => {
    const path = await log(
      'x FATAL:  out of reach',
      ...Array.from({ length: 3_000 }, () => 'x'.repeat(60)),
      'y FATAL:  near',
    );
    expect(await readFatalLines(nodeFileSystem, path)).toEqual(['y FATAL:  near']);
  });

  it('are null without a log', async () => {
    expect(await readFatalLines(nodeFileSystem, join(directory, 'none'))).toBeNull();
  });
});

describe('the last words of the orchestrator', () => {
  it('are its errors since it was listening last, JSON or not', async () => {
    const path = await log(
      '{"level":"error","msg":"an old one"}',
      '{"level":"info","msg":"listening"}',
      'something else {',
      '{"level":"warn","msg":"not so bad"}',
      '{"level":"error","error":{"message":"gone"},"msg":"a tick failed"}',
      'error: no such database',
      '{"level":"error"}',
    );
    expect(await readErrorLines(nodeFileSystem, path)).toEqual(['a tick failed: gone', 'no such database']);
  });
});

describe('the state of a process', () => {
  it.each([
    ['4711 (node) S 1 4711', 'running'],
    ['4711 (a name) with) T) T 1 4711', 'stopped'],
    ['4711 (node) Z 1', 'zombie'],
    ['4711 (node) D 1', 'blocked'],
    ['', null],
  ] as const)('%s: %s', async (text, state) => {
    const readFile = (() => Promise.resolve(text)) as unknown as Parameters<typeof readProcessState>[0]['readFile'];
    expect(await readProcessState({ readFile }, 4_711)).toBe(state);
  });
});
