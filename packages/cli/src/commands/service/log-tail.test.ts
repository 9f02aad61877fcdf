import { appendFileSync, copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { followLog, readLastLines } from './log-tail.ts';

let directory: string;
let log: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'stella-log-'));
  log = join(directory, 'x.log');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('the end of a log', () => {
  it('is read across the cut, and is empty where there is no log', async () => {
    expect(await readLastLines(log, 5)).toEqual({ lines: [], end: 0 });
    writeFileSync(`${log}.1`, '1\n2\n3\n');
    writeFileSync(log, '4\n5\n');
    expect(await readLastLines(log, 3)).toEqual({ lines: ['3', '4', '5'], end: 4 });
    expect((await readLastLines(log, 0)).lines).toEqual([]);
  });

  it('is followed line by line, also after the log was cut', async () => {
    writeFileSync(log, 'old\n');
    const lines: string[] = [];
    const halt = new AbortController();
    const following = followLog(log, { from: 4, print: (line) => void lines.push(line), until: halt.signal });
    const until = (text: string): Promise<void> =>
      waitFor(() => lines.join() === text, { timeoutMs: 10_000, why: `${text}, not ${lines.join()}` });
    appendFileSync(log, 'one\ntw');
    await until('one');
    appendFileSync(log, 'o\n');
    await until('one,two');
    copyFileSync(log, `${log}.1`);
    truncateSync(log);
    appendFileSync(log, '3\n');
    await until('one,two,3');
    halt.abort();
    await following;
    expect(lines).toEqual(['one', 'two', '3']);
  });
});
