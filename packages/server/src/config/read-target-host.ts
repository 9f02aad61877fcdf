/** Where a target runs: `host` of a target, with its checks. */
import type { SshHostDefinition, TargetHostDefinition } from '@stella/domain';
import { checkDirectory, checkHost, checkSecretReference } from './definition-checks.ts';
import type { MapReader, NumberRule } from './map-reader.ts';

const SSH_KEYS = ['address', 'port', 'user', 'key', 'hostKey', 'knownHosts'] as const;
/** IANA's for SSH. */
const PORT: NumberRule = { standard: 22, min: 1, max: 65_535 };
/** useradd(8), "CAVEATS", and names with capitals and dots, which others allow. */
const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/;
/** SHA-256 in base64 without padding, as ssh-keygen(1) prints it with -l. */
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;

/** Null when the key `host` is absent: this machine. */
export function readTargetHost(target: MapReader): TargetHostDefinition | null {
  const map = target.map('host');
  if (!map) return null;
  map.allow(['ssh']);
  const ssh = map.map('ssh');
  if (ssh) return { ssh: readSsh(ssh) };
  if (!map.has('ssh')) map.refuse('host', 'host: say how it is reached, with "ssh:", or leave it out for this machine');
  return null;
}

function readSsh(map: MapReader): SshHostDefinition {
  map.allow(SSH_KEYS);
  const hostKey = map.text('hostKey', checkFingerprint, '');
  const knownHosts = map.text('knownHosts', (value) => (value === '' ? null : checkDirectory(value)), '');
  if (hostKey === '' && knownHosts === '') {
    const read = 'read its fingerprint on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub';
    map.refuse('ssh', `ssh: the host must prove who it is, by "hostKey: SHA256:…" or "knownHosts: /path"; ${read}`);
  }
  return {
    address: map.text('address', checkHost),
    port: map.count('port', PORT),
    user: map.text('user', checkUser),
    key: map.text('key', checkSecretReference),
    ...(hostKey !== '' && { hostKey }),
    ...(knownHosts !== '' && { knownHosts }),
  };
}

function checkUser(value: string): string | null {
  return USER.test(value) ? null : `"${value.slice(0, 80)}" is not the name of a user, such as deploy`;
}

function checkFingerprint(value: string): string | null {
  if (value === '' || FINGERPRINT.test(value)) return null;
  return 'expected SHA256: and 43 characters, as "ssh-keygen -lf" prints the fingerprint of the host\'s public key';
}
