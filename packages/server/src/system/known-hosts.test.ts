import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { findKnownKeys } from './known-hosts.ts';

const KEY = Buffer.from('a key').toString('base64');
const hashed = (name: string): string => {
  const salt = Buffer.from('twenty bytes of salt');
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
};

function typesOf(line: string, address = 'web-1.example.org', port = 22): readonly string[] {
  return findKnownKeys(`# a comment\n\n${line}\n`, { address, port }).map(({ type }) => type);
}

describe('known_hosts', () => {
  it.each([
    ['a name', `web-1.example.org ssh-ed25519 ${KEY} deploy@here`],
    ['one of several', `10.0.0.1,web-1.example.org ssh-ed25519 ${KEY}`],
    ['capitals', `WEB-1.example.org ssh-ed25519 ${KEY}`],
    ['a pattern', `web-?.example.* ssh-ed25519 ${KEY}`],
    ['a hashed name', `${hashed('web-1.example.org')} ssh-ed25519 ${KEY}`],
    ['a line with blanks around it', `  web-1.example.org\tssh-ed25519  ${KEY}  `],
  ])('finds the key by %s', (_what, line) => {
    expect(typesOf(line)).toEqual(['ssh-ed25519']);
    const [found] = findKnownKeys(line, { address: 'web-1.example.org', port: 22 });
    expect(found).toEqual({ type: 'ssh-ed25519', key: Buffer.from('a key'), isRevoked: false });
  });

  it.each([
    ['another name', `web-2.example.org ssh-ed25519 ${KEY}`],
    ['a longer name', `web-1.example.org.evil.test ssh-ed25519 ${KEY}`],
    ['a point for any sign', `web-1xexample.org ssh-ed25519 ${KEY}`],
    ['a name that is shut out', `*.example.org,!web-1.example.org ssh-ed25519 ${KEY}`],
    ['another hashed name', `${hashed('web-2.example.org')} ssh-ed25519 ${KEY}`],
    ['a broken hash', `|1|c2FsdA== ssh-ed25519 ${KEY}`],
    ['the name with another port', `[web-1.example.org]:2222 ssh-ed25519 ${KEY}`],
    ['an authority for certificates', `@cert-authority *.example.org ssh-ed25519 ${KEY}`],
    ['no key', 'web-1.example.org ssh-ed25519'],
  ])('finds none by %s', (_what, line) => {
    expect(typesOf(line)).toEqual([]);
  });

  it('names another port in brackets, hashed or not', () => {
    expect(typesOf(`[web-1.example.org]:2222 ssh-rsa ${KEY}`, undefined, 2222)).toEqual(['ssh-rsa']);
    expect(typesOf(`${hashed('[web-1.example.org]:2222')} ssh-rsa ${KEY}`, undefined, 2222)).toEqual(['ssh-rsa']);
    expect(typesOf(`web-1.example.org ssh-rsa ${KEY}`, undefined, 2222)).toEqual([]);
  });

  it('tells keys that were revoked', () => {
    const file = `@revoked * ssh-rsa ${KEY}\nweb ssh-rsa ${KEY}\n`;
    expect(findKnownKeys(file, { address: 'web', port: 22 }).map(({ isRevoked }) => isRevoked)).toEqual([true, false]);
  });
});
