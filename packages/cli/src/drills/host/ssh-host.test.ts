import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import ssh2, { type ClientChannel } from 'ssh2';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DrillPlace, makePlace, placeOf } from '../place.ts';
import { HOST_USER } from './host-keys.ts';
import { makeHostKeys } from './make-host-keys.ts';
import { makeSshHost, type SshHost } from './ssh-host.ts';

let drills: string;
let place: DrillPlace;
let host: SshHost;
beforeEach(async () => {
  drills = mkdtempSync(join(tmpdir(), 'stella-drill-host-'));
  place = placeOf(drills, 'drill-a');
  makePlace(place);
  makeHostKeys(place);
  host = makeSshHost(place, '127.0.0.1');
  await host.follow('first');
});
afterEach(async () => {
  await host.follow(null);
  rmSync(drills, { recursive: true });
});

interface Said {
  readonly out: string;
  readonly code: number | null;
}

/** Logs in, runs it with `input`, and ends; rejects when the host or the login is refused. */
function runThere(command: string, input = '', { login = 'login', known = 'first' } = {}): Promise<Said> {
  const [address, port] = host.host().split(':');
  const shown = ssh2.utils.parseKey(readFileSync(join(place.hostKeys, `${known}.pub`)));
  if (shown instanceof Error) throw shown;
  const client = new ssh2.Client();
  return new Promise<Said>((resolve, reject) => {
    client.on('error', reject).on('ready', () => {
      client.exec(command, (error, channel: ClientChannel) => {
        if (error) return reject(error);
        let out = '';
        let code: number | null = null;
        channel.setEncoding('utf8').on('data', (text: string) => (out += text));
        channel.on('exit', (status: number | null) => (code = status)).on('close', () => resolve({ out, code }));
        channel.end(input);
      });
    });
    client.connect({
      host: address ?? '',
      port: Number(port),
      username: HOST_USER,
      privateKey: readFileSync(join(place.hostKeys, login)),
      hostVerifier: (offered: Buffer) => offered.equals(shown.getPublicSSH()),
    });
  }).finally(() => client.destroy());
}

it('runs what it is asked by a shell, and tells how that ended', async () => {
  expect(await runThere('read line; echo "$line there"; exit 3', 'hello\n')).toEqual({ out: 'hello there\n', code: 3 });
});

it('lets in nobody with another key', async () => {
  await expect(runThere('true', '', { login: 'second' })).rejects.toThrow(/authentication/i);
});

it('shows its other key after it was changed, at the same address', async () => {
  const before = host.host();
  expect(await runThere('echo one')).toEqual({ out: 'one\n', code: 0 });
  await host.follow('second');
  expect(host.host()).toBe(before);
  await expect(runThere('echo two')).rejects.toThrow(/verification/i);
  expect(await runThere('echo two', '', { known: 'second' })).toEqual({ out: 'two\n', code: 0 });
});

it('ends with what still runs there', async () => {
  const note = join(place.directory, 'pid');
  const running = runThere(`echo $$ >${note}.new; mv ${note}.new ${note}; exec sleep 600`).catch(() => null);
  await waitFor(() => existsSync(note), { timeoutMs: 30_000, why: 'the program runs' });
  await host.follow(null);
  await running;
  const pid = Number(readFileSync(note, 'utf8'));
  const isGone = (): boolean => !existsSync(`/proc/${pid}`);
  await waitFor(isGone, { timeoutMs: 30_000, why: 'the program is gone' });
  expect(isGone()).toBe(true);
});
