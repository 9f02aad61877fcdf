import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeClock } from '../system/node-clock.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { makeSecrets } from './read-secret.ts';

const TEXT = 'a key of more than twenty-four bytes';
const SHORT = 'too short';
let root: string;
let folder: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'stella-secret-'));
  folder = join(root, 'secrets');
  await mkdir(join(folder, '..data'), { recursive: true });
  await writeFile(join(folder, '..data', 'mounted'), TEXT);
  await symlink('..data/mounted', join(folder, 'mounted'));
  await writeFile(join(root, 'shadow'), TEXT);
  await symlink(join(root, 'shadow'), join(folder, 'out'));
  await symlink(folder, join(root, 'mount'));
  await writeFile(join(folder, 'key'), `${TEXT}\n`);
  await writeFile(join(folder, 'password'), 'pass word\n');
  await writeFile(join(folder, 'lines'), 'root:x\nana:y\n');
  await writeFile(join(folder, 'large'), 'x'.repeat(5_000));
});
afterAll(() => rm(root, { recursive: true }));

const env = {
  STELLA_SECRET_CAB: TEXT,
  STELLA_SECRET_SHORT: SHORT,
  STELLA_SECRET_B64: `whsec_${btoa(TEXT)}`,
  HOME: TEXT,
};
const secretsOf = (directory = folder) => makeSecrets({ env, fileSystem: nodeFileSystem, clock: nodeClock, directory });
const read = (reference: string) => secretsOf().read(reference);

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
  ])('%s is not there, and the reason holds nothing of it', async (reference, message) => {
    expect(await read(reference)).toEqual({ isThere: false, message });
  });

  it.each([
    ['none', 'none cannot be read (ENOENT)'],
    ['..data', '..data is not a file'],
    ['out', 'out leads out of <folder>, the directory of secrets'],
    ['../shadow', '../shadow is outside of <folder>, the directory of secrets (STELLA_SECRETS_DIRECTORY)'],
    ['../none', '../none is outside of <folder>, the directory of secrets (STELLA_SECRETS_DIRECTORY)'],
  ])(
    'is not there at %s of the directory, and the reason tells nothing of what lies outside',
    async (path, message) => {
      const whole = `${folder}/${message}`.replace('<folder>', folder);
      expect(await read(`file:${folder}/${path}`)).toEqual({ isThere: false, message: whole });
    },
  );

  it('may be a link within the directory, as Kubernetes makes them, and the directory a link', async () => {
    const key = Buffer.from(TEXT);
    expect(await read(`file:${folder}/mounted`)).toEqual({ isThere: true, key });
    const mount = join(root, 'mount');
    expect(await secretsOf(mount).read(`file:${mount}/mounted`)).toEqual({ isThere: true, key });
    expect(await secretsOf(mount).read(`file:${folder}/key`)).toEqual({ isThere: true, key });
  });

  it('is nowhere when the directory is not there', async () => {
    expect(await secretsOf(join(root, 'no')).read(`file:${folder}/key`)).toMatchObject({ isThere: false });
  });

  it('is not waited for without end on a disk that hangs', async () => {
    const hung = { ...nodeFileSystem, realpath: () => new Promise<never>(() => undefined) };
    // The time is over at once.
    const clock = { ...nodeClock, schedule: (_delayMs: number, run: () => void) => nodeClock.schedule(0, run) };
    const secrets = makeSecrets({ env, fileSystem: hung, clock, directory: folder });
    const message = `${folder}/key was not read within 5000 ms`;
    expect(await secrets.readPassword(`file:${folder}/key`)).toEqual({ isThere: false, message });
  });

  it('is not a large file', async () => {
    expect(await read(`file:${join(folder, 'large')}`)).toMatchObject({ isThere: false });
  });

  it('may be a password of any length, of one line', async () => {
    const secrets = secretsOf();
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
