import { describe, expect, it } from 'vitest';
import { parseChallenge } from './auth-challenge.ts';

describe('what a registry asks for', () => {
  it.each([
    ['Basic realm="Registry"', { scheme: 'basic' }],
    ['basic', { scheme: 'basic' }],
    [
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:shop/web:pull,push"',
      { scheme: 'bearer', realm: 'https://auth.example/token', service: 'registry.example' },
    ],
    [
      'Bearer realm=https://auth.example/token',
      { scheme: 'bearer', realm: 'https://auth.example/token', service: null },
    ],
    ['bearer REALM = "a\\"b" , service="s"', { scheme: 'bearer', realm: 'a"b', service: 's' }],
    // A token before a password, in whatever order.
    [
      'Basic realm="x", Bearer realm="https://auth.example/t"',
      { scheme: 'bearer', realm: 'https://auth.example/t', service: null },
    ],
    ['Negotiate, Basic realm="x"', { scheme: 'basic' }],
    // Without a realm there is nobody to ask for a token.
    ['Bearer service="registry.example"', null],
    ['Negotiate', null],
    ['', null],
    [undefined, null],
  ])('%s', (header, expected) => {
    expect(parseChallenge(header)).toEqual(expected);
  });
});
