/**
 * `examples/compose-ssh` as a reader does it: every command of its README, word for word, in one shell, on two hosts with sshd,
 * Docker and Compose and with a registry over TLS. Only the reader's own things are there before: the hosts, the registry, and
 * his key, which root of the hosts lets in.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  ask,
  type DockerRegistry,
  findDockerRegistry,
  findFreePort,
  findProgram,
  startDockerRegistry,
  waitFor,
} from '@stella/testkit';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openShell, type Shell } from '../shell.ts';
import { type LinuxHost, startLinuxHost, whatHostsLack } from './linux-host.ts';
import { type ExampleCommand, isAsPrinted, readExample } from './read-example.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
/** A promotion takes ten seconds; a machine that does much else needs longer. */
const COMMAND_TIMEOUT_MS = 180_000;
const START_TIMEOUT_MS = 10_000;
const TEST_TIMEOUT_MS = 600_000;
/** Addresses of the page, in place of which a reader writes his own. */
const WRITTEN = {
  one: '10.0.0.11',
  two: '10.0.0.12',
  registry: 'registry.example.org:5000',
  ca: '/etc/ssl/registry-ca.pem',
};
const run = promisify(execFile);

function whatIsMissing(): string | null {
  const programs = ['busybox', 'curl', 'ssh', 'ssh-agent', 'ssh-add', 'ssh-keyscan'];
  const missing = programs.find((one) => findProgram(one) === null);
  if (missing !== undefined || findDockerRegistry() === null)
    return `missing component: ${missing ?? 'docker-registry'}`;
  return whatHostsLack();
}

const lack = whatIsMissing();

// `lack` says what is missing: hosts are for root to make; the components are those of tools/install-system-deps.sh.
describe.skipIf(lack !== null)('the example with two Compose hosts over SSH', () => {
  describeExample();
});

function describeExample(): void {
  let home = '';
  let hosts: readonly [LinuxHost, LinuxHost];
  let registry: DockerRegistry;
  let agent: ChildProcess;
  let shell: Shell;
  let sections: ReturnType<typeof readExample>;
  const closings: (() => Promise<unknown>)[] = [];
  const at = (name: string): string => join(home, name);

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'stella-example-'));
    closings.push(() => rm(home, { recursive: true }));
    // As homes of people are: PostgreSQL runs as another user where root starts it.
    await chmod(home, 0o755);
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('own-key')]);
    hosts = await startHosts();
    registry = await startRegistry();
    const socket = await startAgent();
    const [{ socket: engine }] = hosts;
    const own = { HOME: home, SSH_AUTH_SOCK: socket, DOCKER_HOST: `unix://${engine}` };
    const kept = Object.entries(process.env).filter(([name]) => !/^(STELLA|DOCKER)_/.test(name));
    const env = { ...Object.fromEntries(kept), ...own, STELLA_LISTEN: `127.0.0.1:${await findFreePort()}` };
    await makeBaseImage(env);
    shell = openShell({ cwd: ROOT, env });
    closings.push(() => shell.close());
    closings.push(stopOrchestrator);
    sections = readExample(await readFile(join(ROOT, 'examples/compose-ssh/README.md'), 'utf8'));
  }, TEST_TIMEOUT_MS);
  afterAll(async () => {
    for (const close of closings.reverse()) await close();
  }, TEST_TIMEOUT_MS);

  async function startHosts(): Promise<readonly [LinuxHost, LinuxHost]> {
    const key = (await readFile(at('own-key.pub'), 'utf8')).trim();
    const one = await startLinuxHost('a', key);
    closings.push(() => one.stop());
    const two = await startLinuxHost('b', key);
    closings.push(() => two.stop());
    return [one, two];
  }

  /** Where both hosts reach it, with a certificate that their engines believe. */
  async function startRegistry(): Promise<DockerRegistry> {
    const host = hosts[0].gateway;
    const made = await generate([{ name: 'commonName', value: host }], {
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: host }] },
      ],
    });
    await writeFile(at('ca.pem'), made.cert);
    await writeFile(at('ca-key.pem'), made.private, { mode: 0o600 });
    const tls = { certificate: at('ca.pem'), key: at('ca-key.pem') };
    const started = await startDockerRegistry(findDockerRegistry() ?? '', { host, tls });
    closings.push(() => started.stop());
    for (const one of hosts) await one.trust(started.address, made.cert);
    return started;
  }

  /** `ssh` looks for keys in the home of the user, whatever `HOME` says. */
  async function startAgent(): Promise<string> {
    const socket = at('agent');
    agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    closings.push(() => Promise.resolve(agent.kill()));
    await waitFor(() => existsSync(socket), { timeoutMs: START_TIMEOUT_MS, why: 'the agent listens' });
    await run('ssh-add', ['-q', at('own-key')], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    return socket;
  }

  /** What `FROM busybox:stable` takes from the world's registry. */
  async function makeBaseImage(env: NodeJS.ProcessEnv): Promise<void> {
    await mkdir(at('base'));
    await copyFile(findProgram('busybox') ?? '', at('base/busybox'));
    const lines = ['FROM scratch', 'COPY busybox /bin/busybox', 'RUN ["/bin/busybox", "--install", "-s", "/bin"]'];
    await writeFile(at('base/Dockerfile'), lines.join('\n'));
    await run('docker', ['build', '--tag', 'busybox:stable', at('base')], { env, timeout: COMMAND_TIMEOUT_MS });
  }

  /** Also where a command of the page has failed. */
  async function stopOrchestrator(): Promise<void> {
    if (existsSync(at('stella-example/data')))
      await shell.run('npx stella service stop orchestrator', COMMAND_TIMEOUT_MS);
  }

  function withOwn(text: string): string {
    const [one, two] = hosts;
    return text
      .replace(WRITTEN.one, one.address)
      .replace(WRITTEN.two, two.address)
      .replace(WRITTEN.registry, registry.address)
      .replace(WRITTEN.ca, at('ca.pem'));
  }

  function asWritten(output: string): string {
    const [one, two] = hosts;
    return output
      .replaceAll(registry.address, WRITTEN.registry)
      .replaceAll(one.address, WRITTEN.one)
      .replaceAll(two.address, WRITTEN.two);
  }

  /** What another process is about to do shows some seconds later: a command that only reads is typed again. */
  async function type({ line, command, printed }: ExampleCommand): Promise<string | null> {
    let typed = { output: '', exitCode: 1 };
    const isRight = async (): Promise<boolean> => {
      typed = await shell.run(command, COMMAND_TIMEOUT_MS);
      return typed.exitCode === 0 && isAsPrinted(printed, asWritten(typed.output));
    };
    if (await isRight()) return null;
    if (command.startsWith('npx stella promotion diagnose ')) {
      const order = { timeoutMs: COMMAND_TIMEOUT_MS, why: `line ${line} prints what the page has` };
      const isRightLater = await waitFor(isRight, order).then(
        () => true,
        () => false,
      );
      if (isRightLater) return null;
    }
    const said = asWritten(typed.output);
    return `line ${line}, exit code ${typed.exitCode}: ${command}\n${said}\nthe page has\n${printed ?? ''}`;
  }

  /** Null when every command has ended well, and has printed what the page has. */
  async function typeAll(commands: readonly ExampleCommand[] | undefined): Promise<string | null> {
    if (!commands) return 'the page has no such section';
    for (const command of commands) {
      const mistake = await type(command);
      if (mistake !== null) return mistake;
    }
    return null;
  }

  /** The page as both hosts serve it is that file, and the engine has it by the digest of the registry. */
  async function expectServed(version: string): Promise<void> {
    const file = await readFile(join(ROOT, 'examples/shop/pages', version, 'index.html'));
    const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    const images = new Set<string>();
    for (const { address, socket } of hosts) {
      const page = await fetch(`http://${address}:8080/`, { signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS) });
      expect(digestOf(new Uint8Array(await page.arrayBuffer()))).toBe(digestOf(file));
      // The engine's own list.
      const running = JSON.parse((await ask(socket, 'GET', '/containers/json')).body) as readonly { Image: string }[];
      expect(running).toHaveLength(1);
      for (const { Image: image } of running) images.add(image);
    }
    expect([...images]).toEqual([expect.stringMatching(`^${registry.address}/shop/web@sha256:[0-9a-f]{64}$`)]);
  }

  it('has ten commands, and needs nothing of its reader but his addresses', { timeout: TEST_TIMEOUT_MS }, async () => {
    expect(sections.get('Ten commands')).toHaveLength(10);
    const [variables, ...images] = sections.get('What is needed') ?? [];
    if (!variables) throw new Error('the page has no variables');
    for (const written of Object.values(WRITTEN)) expect(variables.command).toContain(written);
    expect(await typeAll([{ ...variables, command: withOwn(variables.command) }, ...images])).toBeNull();
  });

  it('goes from zero to a promoted release', { timeout: TEST_TIMEOUT_MS }, async () => {
    expect(await typeAll(sections.get('Ten commands'))).toBeNull();
    await expectServed('1.0.0');
  });

  it('shows what runs, and the way to it', { timeout: TEST_TIMEOUT_MS }, async () => {
    expect(await typeAll(sections.get('Look around'))).toBeNull();
  });

  it('names a host that lets nobody in, and completes by the remedy', { timeout: TEST_TIMEOUT_MS }, async () => {
    expect(await typeAll(sections.get('The next release, and a host that lets nobody in'))).toBeNull();
    await expectServed('1.1.0');
  });

  it('goes back', { timeout: TEST_TIMEOUT_MS }, async () => {
    expect(await typeAll(sections.get('And back'))).toBeNull();
    await expectServed('1.0.0');
  });

  it('leaves nothing behind', { timeout: TEST_TIMEOUT_MS }, async () => {
    expect(await typeAll(sections.get('Clean up'))).toBeNull();
    expect(existsSync(at('stella-example'))).toBe(false);
    for (const { socket } of hosts) {
      for (const list of ['/containers/json?all=true', '/networks?filters={"name":["shop_default"]}']) {
        expect(JSON.parse((await ask(socket, 'GET', encodeURI(list))).body)).toEqual([]);
      }
    }
  });
}
