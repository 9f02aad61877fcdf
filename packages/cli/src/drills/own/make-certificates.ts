/** Makes the certificates of a drill's TLS service, at run time. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { DrillPlace } from '../place.ts';
import { trustFileOf } from './certificates.ts';

const DAY_MS = 86_400_000;

/** One that ran out yesterday, and its renewal. */
export async function makeCertificates(place: DrillPlace, ip: string): Promise<void> {
  const nowMs = Date.now();
  const all = { expired: nowMs - DAY_MS, valid: nowMs + DAY_MS };
  mkdirSync(place.certificates, { mode: 0o700 });
  const trusted: string[] = [];
  for (const [name, untilMs] of Object.entries(all)) {
    const { cert, key } = await make(`${name} of a drill`, ip, untilMs);
    writeFileSync(join(place.certificates, `${name}.crt`), cert);
    writeFileSync(join(place.certificates, `${name}.key`), key, { mode: 0o600 });
    trusted.push(cert);
  }
  writeFileSync(trustFileOf(place), trusted.join('\n'));
}

async function make(name: string, ip: string, untilMs: number): Promise<{ cert: string; key: string }> {
  const made = await generate([{ name: 'commonName', value: name }], {
    notBeforeDate: new Date(untilMs - 9 * DAY_MS),
    notAfterDate: new Date(untilMs),
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip }] },
    ],
  });
  return { cert: made.cert, key: made.private };
}
