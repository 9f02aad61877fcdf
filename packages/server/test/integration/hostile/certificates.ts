/** Certificates of hostile peers, made at run time. */
import { writeFile } from 'node:fs/promises';
import { generate } from 'selfsigned';

const DAY_MS = 86_400_000;

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly good: Certificate;
  readonly expired: Certificate;
  readonly future: Certificate;
  /** Trusted, for another address. */
  readonly foreign: Certificate;
  /** Right, but trusted by nobody. */
  readonly selfSigned: Certificate;
}

/** For the address; writes those that are to be trusted to the file, for `NODE_EXTRA_CA_CERTS`. */
export async function makeCertificates(ip: string, trustFile: string): Promise<Certificates> {
  const nowMs = Date.now();
  const made = {
    good: await make(ip),
    expired: await make(ip, { notBeforeDate: new Date(nowMs - 9 * DAY_MS), notAfterDate: new Date(nowMs - DAY_MS) }),
    future: await make(ip, { notBeforeDate: new Date(nowMs + DAY_MS), notAfterDate: new Date(nowMs + 9 * DAY_MS) }),
    foreign: await make('192.0.2.1'),
    selfSigned: await make(ip),
  };
  const { good, expired, future, foreign } = made;
  await writeFile(trustFile, [good, expired, future, foreign].map(({ cert }) => cert).join('\n'));
  return made;
}

let madeCount = 0;

async function make(ip: string, dates: { notBeforeDate?: Date; notAfterDate?: Date } = {}): Promise<Certificate> {
  madeCount += 1;
  // Each its own name: issuers are looked up by it.
  const made = await generate([{ name: 'commonName', value: `gate ${madeCount}` }], {
    ...dates,
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip }] },
    ],
  });
  return { cert: made.cert, key: made.private };
}
