import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, makeIds } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { ReadStore } from '../ports/read-store.ts';
import { nodeClock } from '../system/node-clock.ts';
import { nodeFileSystem } from '../system/node-file-system.ts';
import { nodeRandom } from '../system/node-random.ts';
import { ensureFirstAdmin } from './first-admin.ts';

const NOBODY_YET = {
  findPerson: () => Promise.reject(new AppError('person.not_found', { details: { name: 'admin' } })),
} as unknown as ReadStore;

const ids = makeIds(
  () => nodeClock.nowMs(),
  (count) => nodeRandom.bytes(count),
);

describe('the first admin', () => {
  it('is made by one of two servers that start at the same moment; the other leaves no token that nobody knows', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'stella-admin-'));
    const lost = new AppError('person.exists', { details: { subject: 'admin' } });
    const commands = { transact: () => Promise.reject(lost) };
    const deps = { fileSystem: nodeFileSystem, random: nodeRandom, ids, commands, reads: NOBODY_YET };
    expect(await ensureFirstAdmin(deps, dataDir)).toBeNull();
    expect(existsSync(join(dataDir, 'admin.token'))).toBe(false);
    rmSync(dataDir, { recursive: true });
  });

  it('stays unmade when the database fails, which the start tells', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'stella-admin-'));
    const away = new AppError('database.unavailable', { details: { message: 'gone' } });
    const commands = { transact: () => Promise.reject(away) };
    const deps = { fileSystem: nodeFileSystem, random: nodeRandom, ids, commands, reads: NOBODY_YET };
    await expect(ensureFirstAdmin(deps, dataDir)).rejects.toBe(away);
    rmSync(dataDir, { recursive: true });
  });
});
