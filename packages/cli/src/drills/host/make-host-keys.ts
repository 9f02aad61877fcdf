/** Makes the keys of a drill's host over SSH, at run time. */
import { mkdirSync, writeFileSync } from 'node:fs';
import ssh2 from 'ssh2';
import type { DrillPlace } from '../place.ts';
import { keyFileOf } from './host-keys.ts';

/** Of Ed25519 the library makes one of 256 such that nobody can read it (mscdex/ssh2#1390). */
const KIND = 'ecdsa';
const BITS = 256;

export function makeHostKeys(place: DrillPlace): void {
  mkdirSync(place.hostKeys, { mode: 0o700 });
  for (const name of ['first', 'second', 'login'] as const) {
    const made = ssh2.utils.generateKeyPairSync(KIND, { bits: BITS });
    writeFileSync(keyFileOf(place, name), made.private, { mode: 0o600 });
    writeFileSync(`${keyFileOf(place, name)}.pub`, made.public);
  }
}
