import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeSandbox, mountsIn, type Sandbox } from './sandbox.ts';

const made: Sandbox[] = [];
afterEach(() => made.splice(0).forEach((sandbox) => sandbox.remove()));

function makeOne(env: NodeJS.ProcessEnv = process.env): { sandbox: Sandbox; temporary: string } {
  const sandbox = makeSandbox(env);
  made.push(sandbox);
  return { sandbox, temporary: sandbox.env['TMPDIR'] ?? '' };
}

describe('sandbox', () => {
  it('takes what would configure stella out of the environment, and gives an own home', () => {
    const { sandbox } = makeOne({ STELLA_DATABASE_URL: 'x', XDG_CONFIG_HOME: 'y', HOME: 'z', PATH: 'p' });
    expect(sandbox.env['STELLA_DATABASE_URL']).toBeUndefined();
    expect(sandbox.env['XDG_CONFIG_HOME']).toBeUndefined();
    expect(sandbox.env['HOME']).not.toBe('z');
    expect(sandbox.env['PATH']).toBe('p');
  });

  it('lets other users in, as /tmp does', () => {
    const { temporary } = makeOne();
    expect(statSync(temporary).mode & 0o7777).toBe(0o1777);
    expect(statSync(join(temporary, '..')).mode & 0o777).toBe(0o755);
  });

  it('names a directory that a test left behind', () => {
    const { sandbox, temporary } = makeOne();
    expect(sandbox.findLeftovers()).toEqual([]);
    mkdirSync(join(temporary, 'stella-forgotten'));
    expect(sandbox.findLeftovers()).toEqual(['left behind: temporary stella-forgotten']);
  });

  it.skipIf(process.platform !== 'linux')('names a process that a test left behind, and ends it', async () => {
    const { sandbox } = makeOne();
    const program = 'process.stdout.write("up"); setInterval(() => {}, 1000)';
    const child = spawn(process.execPath, ['-e', program], { env: sandbox.env, stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    expect(sandbox.findLeftovers()).toEqual([expect.stringContaining('left behind: process ')]);
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(sandbox.findLeftovers()).toEqual([]);
  });

  it('finds what a test mounted and was stopped before it unmounted it: nothing could be removed around it', () => {
    const lines = [
      'proc /proc proc rw 0 0',
      'x /tmp/a/t/wal tmpfs rw 0 0',
      'x /tmp/a/t/wal/b tmpfs rw 0 0',
      'x /tmp/ab tmpfs rw 0 0',
    ];
    expect(mountsIn('/tmp/a', lines.join('\n'))).toEqual(['/tmp/a/t/wal/b', '/tmp/a/t/wal']);
  });

  it('removes all of it', () => {
    const { sandbox, temporary } = makeOne();
    sandbox.remove();
    expect(existsSync(join(temporary, '..'))).toBe(false);
  });
});
