import type { TargetHostDefinition } from '@stella/domain';
import { isAppError } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { makeFindings } from './findings.ts';
import { readMap } from './map-reader.ts';
import { readTargetHost } from './read-target-host.ts';
import { readYamlDocuments } from './yaml-documents.ts';

const FINGERPRINT = 'SHA256:ul2Tcs1Mr4LXpfK8iNQ2Fdt6vJz9q0Yw3aBcDeFgHiI';
const WHOLE = {
  address: 'web-1.example.org',
  user: 'deploy',
  key: 'file:/etc/stella/ssh-key',
  hostKey: FINGERPRINT,
};

function read(target: object): TargetHostDefinition | null {
  const [document] = readYamlDocuments(JSON.stringify(target), 'prod.yaml');
  if (!document) throw new Error('a document was written');
  const findings = makeFindings('prod.yaml');
  const map = readMap({ document, findings }, document.root, 'a target');
  const host = map ? readTargetHost(map) : null;
  findings.throwFirst();
  return host;
}

function refusalOf(ssh: object): string {
  try {
    read({ host: { ssh } });
    return 'accepted';
  } catch (error) {
    if (!isAppError(error)) throw error;
    return `${error.message} ${error.hint}`;
  }
}

describe('the host of a target', () => {
  it('is this machine when it is not named', () => {
    expect(read({ name: 'web' })).toBeNull();
  });

  it('is reached over SSH, at port 22 unless another is named', () => {
    expect(read({ host: { ssh: WHOLE } })).toEqual({ ssh: { ...WHOLE, port: 22 } });
    const { hostKey: _left, ...rest } = { ...WHOLE, port: 2222, knownHosts: '/etc/ssh/ssh_known_hosts' };
    expect(read({ host: { ssh: rest } })).toEqual({ ssh: rest });
  });

  it('must prove who it is', () => {
    const { hostKey: _left, ...rest } = WHOLE;
    expect(refusalOf(rest)).toContain('the host must prove who it is');
  });

  it.each([
    ['a fingerprint by MD5', { hostKey: 'MD5:00:11' }, 'SHA256'],
    ['the key itself', { key: '-----BEGIN OPENSSH PRIVATE KEY-----' }, 'named, not written'],
    ['an option in place of a user', { user: '-oProxyCommand=id' }, 'not the name of a user'],
    ['an option in place of an address', { address: '-oProxyCommand=id' }, 'not the name of a host'],
    ['a port that is none', { port: 0 }, 'from 1 to 65535'],
    ['a relative known_hosts', { knownHosts: 'known_hosts' }, 'absolute path'],
    ['an unknown key', { hostkey: FINGERPRINT }, 'hostKey'],
  ])('refuses %s', (_what, patch, words) => {
    expect(refusalOf({ ...WHOLE, ...patch })).toContain(words);
  });

  it('refuses a host that says nothing of how it is reached', () => {
    expect(() => read({ host: {} })).toThrow('say how it is reached');
  });
});
