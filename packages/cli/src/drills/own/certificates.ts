/** The certificates of a drill's TLS service; its own orchestrator trusts them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate, DrillPlace } from '../place.ts';

/** In one file, for `NODE_EXTRA_CA_CERTS`. */
export function trustFileOf({ certificates }: DrillPlace): string {
  return join(certificates, 'trusted.pem');
}

export function readCertificate({ certificates }: DrillPlace, name: Certificate): { cert: string; key: string } {
  const read = (kind: string): string => readFileSync(join(certificates, `${name}.${kind}`), 'utf8');
  return { cert: read('crt'), key: read('key') };
}
