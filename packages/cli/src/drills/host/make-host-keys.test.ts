import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import { expect, it } from 'vitest';
import { makePlace, placeOf } from '../place.ts';
import { keyFileOf } from './host-keys.ts';
import { makeHostKeys } from './make-host-keys.ts';

/** One pair of 256 was broken before: 1,200 miss that once in a hundred times. */
const HOSTS = 400;

function readKey(file: string): ParsedKey {
  const key = ssh2.utils.parseKey(readFileSync(file));
  if (key instanceof Error) throw key;
  return key;
}

it('bug: makes no key that cannot be read', () => {
  const drills = mkdtempSync(join(tmpdir(), 'stella-drill-keys-'));
  try {
    for (let count = 1; count <= HOSTS; count++) {
      const place = placeOf(drills, `drill-${count}`);
      makePlace(place);
      makeHostKeys(place);
      for (const name of ['first', 'second', 'login'] as const) {
        const file = keyFileOf(place, name);
        expect(readKey(`${file}.pub`).getPublicSSH()).toEqual(readKey(file).getPublicSSH());
      }
    }
  } finally {
    rmSync(drills, { recursive: true });
  }
});
