import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { makeSecrets } from './read-secret.ts';

const TEXT = 'a key of more than twenty-four bytes';
const SHORT = 'too short';
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stella-secret-'));
  await writeFile(join(folder, 'key'), `${TEXT}\n`);
  await writeFile(join(folder, 'password'), 'pass word\n');
  await writeFile(join(folder, 'lines'), 'root:x\nana:y\n');
  await writeFile(join(folder, 'large'), 'x'.repeat(5_000));
});
afterAll(() => rm(folder, { recursive: true }));

const env = {
  STELLA_SECRET_CAB: TEXT,
  STELLA_SECRET_SHORT: SHORT,
  STELLA_SECRET_B64: `whsec_${btoa(TEXT)}`,
  HOME: TEXT,
};
const read = (reference: string) => makeSecrets({ env, fileSystem: nodeFileSystem }).read(reference);

describe('a secret', () => {
  it('is the text of a variable or of a file, or what its base64 says', async () => {
    const key = Buffer.from(TEXT);
    expect(await read('env:STELLA_SECRET_CAB')).toEqual({ isThere: true, key });
    expect(await read(`file:${join(folder, 'key')}`)).toEqual({ isThere: true, key });
    expect(await read('env:STELLA_SECRET_B64')).toEqual({ isThere: true, key });
  });

  it.each([
    ['env:STELLA_SECRET_NONE', 'the server has no variable STELLA_SECRET_NONE'],
    ['env:STELLA_SECRET_SHORT', 'it is shorter than 24 bytes, which can be guessed'],
    ['env:HOME', 'it is no reference to a secret'],
    ['file:relative', 'it is no reference to a secret'],
    ['file:/nonexistent/stella', '/nonexistent/stella cannot be read (ENOENT)'],
    ['file:/tmp', '/tmp is not a file'],
  ])('%s is not there, and the reason holds nothing of it', async (reference, message) => {
    expect(await read(reference)).toEqual({ isThere: false, message });
  });

  it('is not a large file', async () => {
    expect(await read(`file:${join(folder, 'large')}`)).toMatchObject({ isThere: false });
  });

  it('may be a password of any length, of one line', async () => {
    const secrets = makeSecrets({ env, fileSystem: nodeFileSystem });
    expect(await secrets.readPassword('env:STELLA_SECRET_SHORT')).toEqual({ isThere: true, password: SHORT });
    expect(await secrets.readPassword(`file:${join(folder, 'password')}`)).toEqual({
      isThere: true,
      password: 'pass word',
    });
    const message = 'it is empty, or has more than one line';
    expect(await secrets.readPassword(`file:${join(folder, 'lines')}`)).toEqual({ isThere: false, message });
    expect(await secrets.readPassword('env:STELLA_SECRET_NONE')).toMatchObject({ isThere: false });
  });
});
