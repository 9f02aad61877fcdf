import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeSecretFile } from './secret-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stella-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (file: string, ask: () => Promise<string>): Promise<string> =>
  writeSecretFile({ file, option: '--code-file' }, ask, (answer) => answer);

it('keeps the secret in a file of its owner alone', async () => {
  const file = join(folder, 'code');
  expect(await write(file, () => Promise.resolve('abc'))).toBe('abc');
  expect(readFileSync(file, 'utf8')).toBe('abc\n');
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it('leaves nothing when there is no secret, so that the command can be repeated', async () => {
  const file = join(folder, 'code');
  await expect(write(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(existsSync(file)).toBe(false);
});

it('asks for no secret that it could not keep', async () => {
  const file = join(folder, 'code');
  await write(file, () => Promise.resolve('first'));
  let isAsked = false;
  const ask = (): Promise<string> => {
    isAsked = true;
    return Promise.resolve('second');
  };
  await expect(write(file, ask)).rejects.toMatchObject({ code: 'cli.usage', hint: 'name another with --code-file' });
  await expect(write(join(folder, 'none', 'code'), ask)).rejects.toMatchObject({ code: 'cli.usage' });
  expect(isAsked).toBe(false);
  expect(readFileSync(file, 'utf8')).toBe('first\n');
});
