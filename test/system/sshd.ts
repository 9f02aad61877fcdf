/** A real sshd on a free port, of loopback or of an island, with keys of its own, for the user who runs the tests. */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { appendFile, chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFreePort, findProgram, waitFor } from '@stella/testkit';

const run = promisify(execFile);
const START_MS = 30_000;

export interface SshPrograms {
  readonly sshd: string;
  readonly keygen: string;
}

/** Null when it is not installed. */
export function findSshd(): SshPrograms | null {
  const sshd = findProgram('sshd') ?? findProgram('../sbin/sshd');
  const keygen = findProgram('ssh-keygen');
  return sshd && keygen ? { sshd, keygen } : null;
}

export interface SshServer {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly directory: string;
  /** Of a login that it accepts, and of one that it does not. */
  readonly keyFile: string;
  readonly strangerKeyFile: string;
  /** `SHA256:…`, `ssh-ed25519 AAAA…`, and a key that it does not have. */
  readonly fingerprint: string;
  readonly hostKey: string;
  readonly otherHostKey: string;
  /** Accepts that public key, too. */
  letIn(publicKeyFile: string): Promise<void>;
  /** Hashes the names in a file of known hosts, as ssh-keygen does it. */
  hashNames(file: string): Promise<void>;
  stop(): Promise<void>;
}

export interface SshPlace {
  readonly address: string;
  /** What a program is put behind to run there. */
  readonly enter: readonly string[];
  /** Further lines of its configuration. */
  readonly settings?: readonly string[];
}

export async function startSshd(
  { sshd, keygen }: SshPrograms,
  { address, enter, settings = [] }: SshPlace = { address: '127.0.0.1', enter: [] },
): Promise<SshServer> {
  const directory = await mkdtemp(join(tmpdir(), 'stella-sshd-'));
  const makeKey = async (name: string): Promise<string> => {
    await run(keygen, ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(directory, name)]);
    return (await readFile(join(directory, `${name}.pub`), 'utf8')).trim();
  };
  const [hostKey, otherHostKey, login] = [await makeKey('host'), await makeKey('other'), await makeKey('login')];
  await makeKey('stranger');
  await writeFile(join(directory, 'authorized_keys'), `${login}\n`, { mode: 0o600 });
  // As root it separates its privileges in there, wherever it was installed.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await findFreePort();
  const config = join(directory, 'sshd_config');
  await writeFile(
    config,
    [
      `ListenAddress ${address}:${port}`,
      `HostKey ${join(directory, 'host')}`,
      `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
      `PidFile ${join(directory, 'pid')}`,
      'UsePAM no',
      'PasswordAuthentication no',
      'StrictModes no',
      'PermitRootLogin prohibit-password',
      // A bash that sshd runs reads ~/.bashrc unless it is below another shell: a second each time, where that starts much.
      'SetEnv SHLVL=1',
      ...settings,
    ].join('\n'),
  );
  await chmod(directory, 0o700);
  const [program, ...args] = [...enter, sshd, '-D', '-e', '-f', config];
  const server = spawn(program, args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  await waitFor(() => answers(address, port), { timeoutMs: START_MS, why: 'sshd to listen' });
  const { stdout } = await run(keygen, ['-lf', join(directory, 'host.pub')]);
  return {
    address,
    port,
    user: userInfo().username,
    directory,
    keyFile: join(directory, 'login'),
    strangerKeyFile: join(directory, 'stranger'),
    fingerprint: stdout.split(' ')[1] ?? '',
    hostKey,
    otherHostKey,
    letIn: async (file) => appendFile(join(directory, 'authorized_keys'), await readFile(file)),
    hashNames: async (file) => void (await run(keygen, ['-H', '-f', file])),
    stop: async () => {
      server.kill('SIGTERM');
      await ended;
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    const end = (isThere: boolean) => (): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', end(true));
    socket.once('error', end(false));
  });
}
