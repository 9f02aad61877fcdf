/** The keys of a drill's host over SSH: two that it may show, the one that lets us in, and the file of known hosts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DrillPlace, HostKeyName } from '../place.ts';

/** Who logs in there; whatever runs is run by the user of the drill. */
export const HOST_USER = 'drill';

export function keyFileOf({ hostKeys }: DrillPlace, name: HostKeyName | 'login'): string {
  return join(hostKeys, name);
}

/** As `host` of a target names it. `host`: `127.0.0.1:41234`. */
export function hostOf(place: DrillPlace, host: string): object {
  const [address, port] = host.split(':');
  const key = `file:${keyFileOf(place, 'login')}`;
  return { ssh: { address, port: Number(port), user: HOST_USER, key, knownHosts: knownHostsOf(place) } };
}

function knownHostsOf({ hostKeys }: DrillPlace): string {
  return join(hostKeys, 'known_hosts');
}

/** As a person does it who has compared the key on the host itself. */
export function writeKnownHosts(place: DrillPlace, host: string, name: HostKeyName): void {
  const [address = '', port = ''] = host.split(':');
  const publicKey = readFileSync(`${keyFileOf(place, name)}.pub`, 'utf8').trim();
  writeFileSync(knownHostsOf(place), `[${address}]:${port} ${publicKey}\n`);
}
