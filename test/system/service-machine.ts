/**
 * A machine that systemd runs, without a virtual machine: a real systemd as the first process of its own pid, mount and
 * control-group namespaces, with nothing but our unit to run. What it writes lies in directories that end with it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';

const ROOT = join(import.meta.dirname, '..', '..');
const COMMAND_TIMEOUT_MS = 180_000;
const BOOT_TIMEOUT_MS = 60_000;
/** Targets that every unit depends on by default, or that ours names. */
const TARGETS = ['sysinit', 'basic', 'shutdown', 'multi-user', 'network-online', 'umount'];

export interface ServiceMachine {
  /** Runs a program on it, as root; throws with what it said when it fails. */
  run(words: readonly [string, ...string[]]): string;
  /** `stella service …` with `-o json`. */
  service(verb: string): Readonly<Record<string, unknown>>;
  remove(): Promise<void>;
}

export async function bootServiceMachine(): Promise<ServiceMachine> {
  const directory = mkdtempSync(join(tmpdir(), 'stella-machine-'));
  for (const name of ['units', 'etc']) mkdirSync(join(directory, name));
  for (const name of TARGETS) {
    writeFileSync(join(directory, 'units', `${name}.target`), '[Unit]\nDefaultDependencies=no\n');
  }
  const boot = join(directory, 'boot.sh');
  writeFileSync(boot, bootScript(directory));
  const namespaces = ['--mount', '--pid', '--cgroup', '--uts', '--ipc', '--fork', '--kill-child'];
  const unshare = spawn('unshare', [...namespaces, 'bash', boot], { stdio: ['ignore', 'pipe', 'pipe'] });
  const words: string[] = [];
  for (const stream of [unshare.stdout, unshare.stderr])
    stream.on('data', (chunk: Buffer) => words.push(String(chunk)));
  const machine = makeMachine(unshare, directory);
  const isUp = (): boolean => {
    if (unshare.exitCode !== null) throw new Error(`systemd ended: ${words.join('')}`);
    return machine.isUp();
  };
  await waitFor(isUp, { timeoutMs: BOOT_TIMEOUT_MS, why: 'systemd runs' });
  return machine;
}

/** Its data lies in memory; `/tmp` and homes are hidden by our unit, so the program is seen at another place. */
function bootScript(directory: string): string {
  return `set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd
mount --bind ${directory}/etc /etc/systemd/system
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir /opt/stella
mount --bind ${ROOT} /opt/stella
mount -t tmpfs -o mode=755 tmpfs /var/lib
export container=other SYSTEMD_GENERATOR_PATH= SYSTEMD_ENVIRONMENT_GENERATOR_PATH=
export SYSTEMD_UNIT_PATH=/etc/systemd/system:${directory}/units
exec /lib/systemd/systemd --system --unit=basic.target --log-target=console --show-status=no
`;
}

function makeMachine(unshare: ChildProcess, directory: string): ServiceMachine & { isUp(): boolean } {
  const run: ServiceMachine['run'] = (words) => {
    const init = readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8').trim();
    const enter = ['--target', init, '--mount', '--pid', '--uts', '--ipc', '--cgroup', '--'];
    const env = ['env', '-i', `PATH=${process.env['PATH']}`, 'HOME=/root', 'STELLA_LISTEN=127.0.0.1:0'];
    const argv = [...enter, ...env, ...words];
    return execFileSync('nsenter', argv, { encoding: 'utf8', timeout: COMMAND_TIMEOUT_MS, stdio: 'pipe' });
  };
  return {
    run,
    service(verb) {
      const program = '/opt/stella/packages/cli/dist/main.mjs';
      const text = run([process.execPath, program, 'service', verb, 'orchestrator', '-o', 'json']);
      // What the command says it shows.
      return JSON.parse(text) as Record<string, unknown>;
    },
    isUp() {
      try {
        return run(['systemctl', 'is-system-running']).trim() === 'running';
      } catch {
        // It does not listen yet.
        return false;
      }
    },
    async remove() {
      unshare.kill('SIGKILL');
      const hasEnded = (): boolean => unshare.exitCode !== null || unshare.signalCode !== null;
      await waitFor(hasEnded, { timeoutMs: BOOT_TIMEOUT_MS, why: 'the machine is off' });
      rmSync(directory, { recursive: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}
