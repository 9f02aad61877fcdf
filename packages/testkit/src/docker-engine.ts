/**
 * Debian's Docker engine, started for a test with a socket, storage and containerd of its own, without a bridge: nothing
 * of the machine's network is touched, containers use `host` or `none`. It runs as root only. And a program small enough
 * to be an image, for artifacts that really run.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './find-program.ts';
import type { OciImage } from './oci-layout.ts';
import { waitFor } from './wait-for.ts';

/** It is up in half a second; a busy machine needs longer. */
const START_TIMEOUT_MS = 60_000;
/** It stops its containers first. */
const STOP_TIMEOUT_MS = 60_000;
/** An engine that came back waits 10 s for a container that it kills, and then kills it in another way. */
const REQUEST_TIMEOUT_MS = 45_000;
const LOG_LENGTH_MAX = 4_000;
/** Removing a tree that the engine has just left may meet files that are still going away. */
const REMOVE_TRIES_MAX = 5;

export interface DockerPrograms {
  readonly dockerd: string;
  readonly containerd: string;
  readonly docker: string;
}

export interface DockerEngineProcess {
  /** Absolute path of its socket. */
  readonly socket: string;
  /** Directory of all that it stores. */
  readonly data: string;
  /** The end of what it wrote since it was last started. */
  readonly log: () => string;
  readonly pid: () => number;
  /** Kills the engine and leaves its containers running. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, on what it had. */
  restart(): Promise<void>;
  /** Ends it with all of its containers, and removes what it stored. */
  stop(): Promise<void>;
}

/** Null when one of them is not installed (tools/install-system-deps.sh). */
export function findDockerPrograms(): DockerPrograms | null {
  const [dockerd, containerd, docker] = ['dockerd', 'containerd', 'docker'].map(findProgram);
  return dockerd && containerd && docker ? { dockerd, containerd, docker } : null;
}

export interface DockerEngineOptions {
  /** It has a disk of its own, of that size, in memory. */
  readonly diskBytes?: number;
}

/** Throws when it is not up within a minute, with the end of its log. */
export async function startDockerEngine(
  { dockerd, containerd }: DockerPrograms,
  { diskBytes }: DockerEngineOptions = {},
): Promise<DockerEngineProcess> {
  // Paths of sockets may have 107 bytes.
  const root = await mkdtemp(join(tmpdir(), 'dockerd-'));
  const socket = join(root, 'docker.sock');
  const containerdSocket = join(root, 'c.sock');
  await mkdir(join(root, 'containerd'));
  await mkdir(join(root, 'data'));
  if (diskBytes !== undefined) mountMemory(join(root, 'data'), diskBytes);
  await writeFile(join(root, 'daemon.json'), JSON.stringify(daemonConfig(root, containerdSocket)));
  await writeFile(join(root, 'containerd.toml'), containerdConfig(root, containerdSocket));
  const runtime = startDaemon(containerd, ['--config', join(root, 'containerd.toml')]);
  let engine: Daemon | null = null;
  const start = async (): Promise<void> => {
    engine = startDaemon(dockerd, ['--config-file', join(root, 'daemon.json')]);
    const { hasEnded, log } = engine;
    await waitFor(async () => hasEnded() || (await answers(socket)), {
      timeoutMs: START_TIMEOUT_MS,
      why: 'dockerd answers',
    });
    if (hasEnded()) throw new Error(`dockerd ended: ${log()}`);
  };
  const restart = async (): Promise<void> => {
    await rm(join(root, 'docker.pid'), { force: true });
    await start();
  };
  const stop = async (): Promise<void> => {
    // What a killed engine has left running, only an engine can end.
    if (engine?.hasEnded() && !runtime.hasEnded()) await restart().catch(() => undefined);
    if (engine && !engine.hasEnded()) await removeContainers(socket);
    await engine?.end('SIGTERM');
    await runtime.end('SIGTERM');
    await unmountBelow(root);
    await rm(root, { recursive: true, force: true, maxRetries: REMOVE_TRIES_MAX });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    socket,
    data: join(root, 'data'),
    log: () => engine?.log() ?? '',
    pid: () => engine?.pid ?? -1,
    kill: async () => engine?.end('SIGKILL'),
    restart,
    stop,
  };
}

function daemonConfig(root: string, containerdSocket: string): object {
  return {
    hosts: [`unix://${join(root, 'docker.sock')}`],
    'data-root': join(root, 'data'),
    'exec-root': join(root, 'exec'),
    pidfile: join(root, 'docker.pid'),
    containerd: containerdSocket,
    // Nothing to unmount, so nothing that a killed engine leaves mounted.
    'storage-driver': 'vfs',
    bridge: 'none',
    iptables: false,
    ip6tables: false,
    'live-restore': true,
    'default-ulimits': { nofile: { Name: 'nofile', Hard: 20_000, Soft: 20_000 } },
  };
}

function containerdConfig(root: string, socket: string): string {
  return [
    'version = 2',
    `root = ${JSON.stringify(join(root, 'containerd', 'root'))}`,
    `state = ${JSON.stringify(join(root, 'containerd', 'state'))}`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    '[grpc]',
    `address = ${JSON.stringify(socket)}`,
    '',
  ].join('\n');
}

interface Daemon {
  readonly pid: number;
  readonly hasEnded: () => boolean;
  readonly log: () => string;
  end(signal: NodeJS.Signals): Promise<void>;
}

function startDaemon(program: string, args: readonly string[]): Daemon {
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  let isOver = false;
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = `${text}${chunk}`.slice(-LOG_LENGTH_MAX);
  });
  child.once('exit', () => {
    isOver = true;
  });
  child.once('error', (error) => {
    isOver = true;
    text += error.message;
  });
  return {
    pid: child.pid ?? -1,
    hasEnded: () => isOver,
    log: () => text,
    async end(signal) {
      if (!isOver) child.kill(signal);
      await waitFor(() => isOver, { timeoutMs: STOP_TIMEOUT_MS, why: `${program} ends` });
    },
  };
}

/** Their mounts and shims go with them; the engine alone would leave both, since it restores what lives. */
async function removeContainers(socket: string): Promise<void> {
  const answer = await ask(socket, 'GET', '/containers/json?all=true');
  // The engine's own list.
  const ids = (JSON.parse(answer.body) as readonly { readonly Id: string }[]).map(({ Id }) => Id);
  await Promise.all(ids.map((id) => ask(socket, 'DELETE', `/containers/${id}?force=true&v=true`)));
}

function mountMemory(directory: string, bytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory]);
}

/** An engine that was killed once takes its own mount for somebody else's, and leaves it. */
async function unmountBelow(root: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').flatMap((line) => line.split(' ')[1] ?? []);
  const own = mounts.filter((path) => path.startsWith(`${root}/`)).sort((one, other) => other.length - one.length);
  for (const path of own) execFileSync('umount', [path]);
}

async function answers(socket: string): Promise<boolean> {
  return ask(socket, 'GET', '/_ping').then(
    ({ status }) => status === 200,
    () => false,
  );
}

/** One request to the engine, for tests that look at it, or change it, behind the product's back. */
export function ask(
  socket: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly body: string }> {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const sent = request({ socketPath: socket, method, path, headers, signal, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** An image that Docker runs, of busybox alone: `args` are what it is called with. Null when busybox is not installed. */
export async function busyboxImage(
  image: Omit<OciImage, 'files' | 'layers' | 'command'> & { readonly args: readonly string[] },
): Promise<OciImage | null> {
  const busybox = findProgram('busybox');
  if (busybox === null) return null;
  const { args, ...rest } = image;
  const program = { path: 'bin/busybox', content: await readFile(busybox), mode: 0o755 };
  const layer = [
    { path: 'bin/', type: 'directory' as const },
    { path: 'tmp/', type: 'directory' as const, mode: 0o777 },
    program,
  ];
  // The tag makes each image one of its own.
  const mark = { path: 'etc/version', content: image.tag };
  return {
    ...rest,
    files: {},
    layers: [layer, [{ path: 'etc/', type: 'directory' }, mark]],
    command: ['/bin/busybox', ...args],
  };
}
