/**
 * A Linux host with sshd, Docker and Compose as whoever sets up a server leaves it: everything is where it belongs (port 22,
 * `/run/docker.sock`, `/root/.ssh`, `/var/lib`), in a network of its own, and nothing of it on this machine. What it writes below
 * `/etc`, `/root`, `/run` and `/var/lib` is its own; programs and all other files are this machine's.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, findDockerPrograms, findProgram, waitFor } from '@stella/testkit';
import { findSshd } from '../sshd.ts';
import { makeIsland } from '../torture/network.ts';

/** It is up in a second; a busy machine needs longer. */
const START_TIMEOUT_MS = 60_000;
/** It removes its containers first, which may take their ten seconds to stop. */
const STOP_TIMEOUT_MS = 60_000;
const SSH_PORT = 22;
const SAID_LENGTH_MAX = 4_000;
const REMOVE_TRIES_MAX = 5;

/** The first process of a host. It ends when its stdin does, also because the test was killed, and everything with it. */
const INIT = `set -e
dir=$1 gateway=$2
ip route add default via "$gateway"
cp -a /etc "$dir/etc"
for place in etc root var/lib; do mkdir -p "$dir/$place" && mount --bind "$dir/$place" "/$place"; done
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
chmod 700 /root /root/.ssh
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
"$(command -v sshd || echo /usr/sbin/sshd)" -o UsePAM=no -E "$dir/sshd.log"
dockerd -H unix:///run/docker.sock -H "unix://$dir/docker.sock" >"$dir/dockerd.log" 2>&1 &
read -r _ || :
docker ps -aq | xargs -r docker rm -f`;

export interface LinuxHost {
  readonly address: string;
  /** Of this machine, as the host reaches it. */
  readonly gateway: string;
  /** Of its engine, for programs of this machine. */
  readonly socket: string;
  /** Makes its engine believe a registry, by host and port, whose certificate that authority has signed. */
  trust(registry: string, certificate: string): Promise<void>;
  /** Ends it with all that runs there, and removes what it stored. */
  stop(): Promise<void>;
}

/** What this machine lacks for hosts, in words for a skip; null when they can be started. */
export function whatHostsLack(): string | null {
  if (process.getuid?.() !== 0) return 'networks are for root to make';
  if (findDockerPrograms() === null) return 'missing component: docker.io';
  if (findSshd() === null) return 'missing component: openssh-server';
  const missing = ['docker-compose', 'iptables', 'ip', 'nsenter', 'unshare'].find((one) => findProgram(one) === null);
  return missing === undefined ? null : `missing component: ${missing}`;
}

/** `authorizedKey`: the line of the public key that root may log in with. Throws when it is not up within a minute. */
export async function startLinuxHost(letter: 'a' | 'b', authorizedKey: string): Promise<LinuxHost> {
  const island = await makeIsland(letter);
  const dir = await mkdtemp(join(tmpdir(), 'stella-host-'));
  await mkdir(join(dir, 'root', '.ssh'), { recursive: true });
  await writeFile(join(dir, 'root', '.ssh', 'authorized_keys'), `${authorizedKey}\n`, { mode: 0o600 });
  await writeFile(join(dir, 'init'), INIT);
  const apart = ['unshare', '--mount', '--mount-proc', '--pid', '--uts', '--fork', '--kill-child'];
  const [program, ...args] = [...island.enter, ...apart, 'sh', join(dir, 'init'), dir, island.mainland];
  // Within its directory, so that a run that was stopped finds it by that.
  const child = spawn(program, args, { cwd: dir, stdio: ['pipe', 'ignore', 'pipe'] });
  let hasEnded = false;
  let said = '';
  child.once('exit', () => {
    hasEnded = true;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-SAID_LENGTH_MAX);
  });
  const socket = join(dir, 'docker.sock');
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await waitFor(() => hasEnded, { timeoutMs: STOP_TIMEOUT_MS, why: 'the host ends' });
    await island.remove();
    await rm(dir, { recursive: true, maxRetries: REMOVE_TRIES_MAX });
  };
  const isUp = async (): Promise<boolean> => (await answersSsh(island.address)) && (await answersDocker(socket));
  try {
    await waitFor(async () => hasEnded || (await isUp()), { timeoutMs: START_TIMEOUT_MS, why: 'the host is up' });
    if (hasEnded) throw new Error(`the host has ended: ${said}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    address: island.address,
    gateway: island.mainland,
    socket,
    async trust(registry, certificate) {
      const place = join(dir, 'etc', 'docker', 'certs.d', registry);
      await mkdir(place, { recursive: true });
      await writeFile(join(place, 'ca.crt'), certificate);
    },
    stop,
  };
}

function answersSsh(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(SSH_PORT, address);
    const end = (isThere: boolean) => (): void => {
      socket.destroy();
      resolve(isThere);
    };
    // Its greeting: a connection alone is made by the kernel.
    socket.once('data', end(true));
    socket.once('error', end(false));
    socket.once('close', end(false));
  });
}

function answersDocker(socket: string): Promise<boolean> {
  return ask(socket, 'GET', '/_ping').then(
    ({ status }) => status === 200,
    () => false,
  );
}
