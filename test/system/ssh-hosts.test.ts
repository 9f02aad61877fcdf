/** Hosts over SSH: the contracts of hosts, of their fence and of files on them against a real sshd, and what must be refused. */
import { appendFile, chmod, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { isAppError, type SshHostDefinition } from '@stella/domain';
import { waitFor, writeOciLayout } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFencedHost } from '../../packages/server/test/contract/fenced-host.contract.ts';
import { componentOf, makeTargetPlace, openTarget } from '../../packages/server/test/contract/files-target-fixture.ts';
import { describeTarget } from '../../packages/server/test/contract/target.contract.ts';
import { describeTargetHost } from '../../packages/server/test/contract/target-host.contract.ts';
import { isThere } from '../../packages/server/test/crash/service-stage.ts';
import type { TargetHost } from '../../packages/server/src/ports/target-host.ts';
import { makeTargetHosts, type TargetHosts } from '../../packages/server/src/system/target-hosts.ts';
import { nodeClock } from '../../packages/server/src/system/node-clock.ts';
import { nodeFileSystem } from '../../packages/server/src/system/node-file-system.ts';
import { makeSecrets } from '../../packages/server/src/webhooks/read-secret.ts';
import { findSshd, type SshServer, startSshd } from './sshd.ts';

const LONG_MS = 60_000;
const programs = findSshd();

if (programs === null) {
  describe('hosts over SSH', () => {
    it.skip('missing component: sshd (tools/install-system-deps.sh installs it)', () => undefined);
  });
} else {
  let sshd: SshServer;
  let hosts: TargetHosts;
  beforeAll(async () => {
    sshd = await startSshd(programs);
    hosts = makeTargetHosts({
      secrets: makeSecrets({ env: {}, fileSystem: nodeFileSystem, clock: nodeClock, directory: sshd.directory }),
      allowedRanges: ['127.0.0.0/8'],
      home: '/',
    });
  });
  afterAll(async () => {
    hosts.close();
    await sshd.stop();
  });

  const definition = (patch: Partial<SshHostDefinition> = {}): SshHostDefinition => ({
    address: '127.0.0.1',
    port: sshd.port,
    user: sshd.user,
    key: `file:${sshd.keyFile}`,
    hostKey: sshd.fingerprint,
    ...patch,
  });
  const open = (patch: Partial<SshHostDefinition> = {}): TargetHost =>
    hosts.openHost({ ssh: definition(patch) }, 'web');
  const options = () => ({ timeoutMs: LONG_MS, signal: new AbortController().signal, outputBytesMax: 10_000 });
  const codeOf = (host: TargetHost): Promise<string> =>
    host.run(['true'], options()).then(
      ({ exitCode }) => `exit ${exitCode}`,
      (error: unknown) => (isAppError(error) ? error.code : String(error)),
    );
  const withoutPin = (knownHosts: string): Partial<SshHostDefinition> => {
    const { hostKey: _left, ...rest } = definition({ knownHosts });
    return rest;
  };
  const openKnown = (knownHosts: string): TargetHost => {
    const { address, port, user, key } = definition();
    return hosts.openHost({ ssh: { address, port, user, key, ...withoutPin(knownHosts) } }, 'web');
  };

  describeTargetHost('sshd', () => open(), { hasSignals: false });
  describeFencedHost('sshd', () => Promise.resolve(open()), { isFar: true });
  describeTarget('files over sshd', async () => {
    const place = makeTargetPlace();
    const tags = ['1', '2'];
    await writeOciLayout(
      place.layout,
      tags.map((tag) => ({ tag, files: { 'index.html': `page ${tag}`, 'large.bin': tag.repeat(3_000_000) } })),
    );
    return {
      open: () => openTarget(place, { definition: { host: { ssh: definition() } }, openHost: hosts.openHost }),
      components: [await componentOf(place, '1'), await componentOf(place, '2')],
      tamper: () => appendFile(join(place.directory, 'current', 'index.html'), '!'),
      remove: place.remove,
      callTimeoutMs: LONG_MS,
    };
  });

  describe('a host over SSH', () => {
    it('is looked at in stages', async () => {
      const stages = await open().look({ stageTimeoutMs: LONG_MS, signal: new AbortController().signal });
      expect(stages.map(({ stage, outcome }) => `${stage} ${outcome}`)).toEqual([
        'dns ok',
        'tcp ok',
        'host_key ok',
        'auth ok',
      ]);
    });

    it('carries more programs at once than one connection may', async () => {
      const host = open();
      const results = await Promise.all(Array.from({ length: 25 }, () => host.run(['sleep', '0.2'], options())));
      expect(results.map(({ exitCode }) => exitCode)).toEqual(results.map(() => 0));
    });

    it('bug: ends by itself although its program heeds nothing', async () => {
      const file = join(sshd.directory, 'deaf');
      const script = 'trap "" TERM HUP; echo $$ >"$1"; while :; do sleep 1; done';
      const { stream, ended } = await open().open(['sh', '-c', script, 'sh', file], {
        signal: new AbortController().signal,
      });
      const pid = async (): Promise<number> => Number(await readFile(file, 'utf8').catch(() => '0'));
      await waitFor(async () => (await pid()) > 0, { timeoutMs: LONG_MS, why: 'the program to run' });
      stream.destroy();
      expect(await ended).toMatchObject({ exitCode: null });
      process.kill(await pid(), 'SIGKILL');
    });

    it('bug: ends a greeting when all connections are ended', async () => {
      const silent = createServer();
      const greeted = new Promise<Socket>((resolve) => silent.once('connection', resolve));
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      const secrets = makeSecrets({ env: {}, fileSystem: nodeFileSystem, clock: nodeClock, directory: sshd.directory });
      const others = makeTargetHosts({ secrets, allowedRanges: ['127.0.0.0/8'], home: '/' });
      // A server that listens has an address with a port.
      const { port } = silent.address() as AddressInfo;
      const code = codeOf(others.openHost({ ssh: definition({ port }) }, 'web'));
      const near = await greeted;
      const gone = new Promise<void>((resolve) => near.once('close', () => resolve()));
      others.close();
      near.resume();
      await gone;
      expect(await code).toBe('target.unreachable');
      expect(await codeOf(others.openHost({ ssh: definition() }, 'web'))).toBe('target.unreachable');
      silent.close();
    });
  });

  describe('who a host is', () => {
    const lastStage = async (host: TargetHost) =>
      (await host.look({ stageTimeoutMs: LONG_MS, signal: new AbortController().signal })).at(-1);

    it('is refused with another key than the pinned one, before anything of ours was shown', async () => {
      const other = open({ hostKey: `SHA256:${'A'.repeat(43)}` });
      expect(await codeOf(other)).toBe('target.host_key');
      expect(await lastStage(other)).toMatchObject({ stage: 'host_key', code: 'host_key.changed' });
    });

    it('is known from a file, by name or by its hash', async () => {
      const name = `[127.0.0.1]:${sshd.port}`;
      const file = join(sshd.directory, 'known');
      await writeFile(file, `${name} ${sshd.hostKey}\n`);
      expect(await codeOf(openKnown(file))).toBe('exit 0');
      await sshd.hashNames(file);
      expect(await readFile(file, 'utf8')).toMatch(/^\|1\|/);
      expect(await codeOf(openKnown(file))).toBe('exit 0');
    });

    it.each([
      ['an unknown host', () => '', 'host_key.unknown'],
      ['a changed key', () => `[127.0.0.1]:${sshd.port} ${sshd.otherHostKey}\n`, 'host_key.changed'],
      [
        'a revoked key',
        () => `@revoked * ${sshd.hostKey}\n[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`,
        'host_key.revoked',
      ],
    ])('refuses %s', async (_what, content, code) => {
      const file = join(sshd.directory, 'refused');
      await writeFile(file, content());
      expect(await codeOf(openKnown(file))).toBe('target.host_key');
      expect(await lastStage(openKnown(file))).toMatchObject({ stage: 'host_key', code });
    });

    it.each(['/nowhere/known_hosts', '/dev/zero'])('is not taken for granted when %s cannot be read', async (file) => {
      expect(await codeOf(openKnown(file))).toBe('target.host_key');
      expect(await lastStage(openKnown(file))).toMatchObject({ stage: 'host_key', code: 'host_key.unreadable' });
    });

    it('bug: is known beside a key of a kind that we do not speak', async () => {
      const file = join(sshd.directory, 'kinds');
      const name = `[127.0.0.1]:${sshd.port}`;
      await writeFile(file, `${name} sk-ssh-ed25519@openssh.com AAAA\n${name} ${sshd.hostKey}\n`);
      expect(await codeOf(openKnown(file))).toBe('exit 0');
    });
  });

  describe('who we are', () => {
    it.each([
      ['a key that the host does not know', () => ({ key: `file:${sshd.strangerKeyFile}` }), 'auth.refused'],
      ['a user that the host does not know', () => ({ user: 'nobody-at-all' }), 'auth.refused'],
      ['a key that is not there', () => ({ key: 'file:/nowhere/key' }), 'auth.secret_missing'],
      ['the public half of a key', () => ({ key: `file:${sshd.keyFile}.pub` }), 'auth.secret_missing'],
      ['what is no key', () => ({ key: `file:${join(sshd.directory, 'no-key')}` }), 'auth.secret_missing'],
    ])('is refused with %s', async (_what, patch, code) => {
      await writeFile(join(sshd.directory, 'no-key'), 'not a key\n');
      expect(await codeOf(open(patch()))).toBe('target.credentials');
      const stages = await open(patch()).look({ stageTimeoutMs: LONG_MS, signal: new AbortController().signal });
      expect(stages.at(-1)).toMatchObject({ stage: 'auth', outcome: 'failed', code });
    });
  });

  describe('the way to a host', () => {
    let relay: Server;
    const sockets = new Set<Socket>();
    beforeAll(async () => {
      relay = createServer((near) => {
        const far = connect(sshd.port, '127.0.0.1');
        for (const one of [near, far]) sockets.add(one.on('error', () => undefined));
        near.pipe(far).pipe(near);
      });
      await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    });
    afterAll(() => {
      for (const one of sockets) one.destroy();
      relay.close();
    });
    // A server that listens has an address with a port.
    const relayPort = (): number => (relay.address() as AddressInfo).port;

    it('is closed where nothing listens, and where it may not lead', async () => {
      expect(await codeOf(open({ port: 1 }))).toBe('target.unreachable');
      const inner = open({ address: '10.255.255.1' });
      expect(await codeOf(inner)).toBe('target.unreachable');
      const stages = await inner.look({ stageTimeoutMs: LONG_MS, signal: new AbortController().signal });
      expect(stages.at(-1)).toMatchObject({ stage: 'dns', code: 'tcp.forbidden' });
    });

    it('ends a program whose connection is cut, on both sides, and is found again', async () => {
      const host = open({ port: relayPort() });
      const file = join(sshd.directory, 'program.pid');
      const { ended } = await host.open(['sh', '-c', 'echo $$ >"$1"; chmod 644 "$1"; cat', 'sh', file], {
        signal: new AbortController().signal,
      });
      const pid = async (): Promise<number> => Number(await readFile(file, 'utf8').catch(() => '0'));
      await waitFor(async () => (await pid()) > 0, { timeoutMs: LONG_MS, why: 'the program to run' });
      for (const one of sockets) one.destroy();
      expect(await ended).toMatchObject({ exitCode: null });
      const far = await pid();
      await waitFor(() => Promise.resolve(!isThere(far)), { timeoutMs: LONG_MS, why: 'it to end on the host' });
      expect(await codeOf(host)).toBe('exit 0');
    });

    it('gives up on a host that stops answering', async () => {
      const host = open({ port: relayPort() });
      expect(await codeOf(host)).toBe('exit 0');
      for (const one of sockets) one.pause();
      const beganMs = performance.now();
      expect(await host.run(['true'], { ...options(), timeoutMs: 500 })).toMatchObject({ isTimedOut: true });
      expect(performance.now() - beganMs).toBeLessThan(10_000);
    });
  });

  it('keeps the key of a login to itself', async () => {
    await chmod(sshd.keyFile, 0o600);
    const secret = (await readFile(sshd.keyFile, 'utf8')).split('\n')[2] ?? '';
    const error: unknown = await open({ user: 'nobody-at-all' })
      .run(['true'], options())
      .catch((one: unknown) => one);
    expect(secret.length).toBeGreaterThan(20);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(secret);
  });
}
