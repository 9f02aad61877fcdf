/** Keys of hosts as OpenSSH keeps them: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Certificates are not looked at. */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface KnownKey {
  /** `ssh-ed25519`. */
  readonly type: string;
  /** As it goes over the wire. */
  readonly key: Buffer;
  readonly isRevoked: boolean;
}

/** Those of one host; lines that are none of the format are passed over, as OpenSSH does. */
export function findKnownKeys(
  file: string,
  { address, port }: { readonly address: string; readonly port: number },
): readonly KnownKey[] {
  const name = port === STANDARD_PORT ? address.toLowerCase() : `[${address.toLowerCase()}]:${port}`;
  return file.split('\n').flatMap((line): readonly KnownKey[] => {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined;
    const [hosts = '', type = '', encoded = ''] = fields;
    if (hosts.startsWith('#') || encoded === '' || marker === '@cert-authority') return [];
    if (!isNamed(hosts, name)) return [];
    return [{ type, key: Buffer.from(encoded, 'base64'), isRevoked: marker === '@revoked' }];
  });
}

const STANDARD_PORT = 22;

function isNamed(hosts: string, name: string): boolean {
  if (hosts.startsWith('|1|')) return isHashOf(hosts, name);
  let isFound = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    if (pattern.startsWith('!')) {
      if (toPattern(pattern.slice(1)).test(name)) return false;
    } else if (toPattern(pattern).test(name)) isFound = true;
  }
  return isFound;
}

/** `*` and `?`, ssh_config(5), "PATTERNS". */
function toPattern(pattern: string): RegExp {
  const parts = Array.from(pattern, (one) => {
    if (one === '*') return '.*';
    return one === '?' ? '.' : one.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`);
}

/** `|1|<salt>|<HMAC-SHA1 of the name>`, so that the file does not tell where one logs in. */
function isHashOf(hosts: string, name: string): boolean {
  const [, , salt = '', hash = ''] = hosts.split('|');
  const expected = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  const found = Buffer.from(hash, 'base64');
  return found.length === expected.length && timingSafeEqual(found, expected);
}
