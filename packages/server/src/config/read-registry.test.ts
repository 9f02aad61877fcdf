import { isAppError, type RegistryDefinition } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { parseDocuments } from './parse-environments.ts';

function read(text: string): RegistryDefinition | undefined {
  return parseDocuments(`kind: Registry\n${text}`, 'x.yaml').registries[0]?.definition;
}

function messageOf(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (isAppError(error)) return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a document of kind Registry', () => {
  it('names a host, and who we are there by the reference of a secret', () => {
    expect(read('host: Registry.example.org:5000')).toEqual({
      host: 'registry.example.org:5000',
      login: null,
      ca: null,
      isPlainHttp: false,
    });
    expect(read('host: r.example\nusername: ci\npassword: env:STELLA_SECRET_R\nca: file:/etc/stella/ca.pem')).toEqual({
      host: 'r.example',
      login: { kind: 'password', username: 'ci', password: 'env:STELLA_SECRET_R' },
      ca: 'file:/etc/stella/ca.pem',
      isPlainHttp: false,
    });
    expect(read('host: "127.0.0.1:5000"\ntoken: file:/run/secrets/r\nplainHttp: true')).toEqual({
      host: '127.0.0.1:5000',
      login: { kind: 'token', token: 'file:/run/secrets/r' },
      ca: null,
      isPlainHttp: true,
    });
  });

  it.each([
    ['host: shop', 'is not the host of a registry'],
    ['host: "https://r.example"', 'is not the host of a registry'],
    ['host: r.example/shop', 'is not the host of a registry'],
    ['host: r.example\nplainHttp: true', 'only a registry of this machine'],
    ['host: r.example\nplainHttp: maybe', 'expected true or false'],
    ['host: localhost\nplainHttp: true\nca: file:/ca', 'no certificates to check'],
    ['host: r.example\nusername: ci', 'go together'],
    ['host: r.example\npassword: env:STELLA_SECRET_R', 'go together'],
    ['host: r.example\nusername: "a:b"\npassword: env:STELLA_SECRET_R', 'without blanks and colons'],
    ['host: r.example\nusername: ci\npassword: hunter2', 'a secret is named, not written'],
    ['host: r.example\ntoken: env:STELLA_SECRET_R\nusername: ci', 'either username and password, or a token'],
    ['host: r.example\nca: /etc/ca.pem', 'a secret is named, not written'],
    ['host: r.example\npasword: x', 'pasword'],
    ['host: r.example\n---\nkind: Registry\nhost: R.example', 'is defined twice, first in line 1'],
  ])('%s', (text, expected) => {
    expect(messageOf(text)).toContain(expected);
    expect(messageOf(text)).not.toContain('hunter2');
  });
});
