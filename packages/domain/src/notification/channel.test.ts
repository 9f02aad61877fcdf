import { describe, expect, it } from 'vitest';
import { describeTransport } from './channel.ts';

const hook = (url: string) => ({ kind: 'webhook', url, secret: 'env:STELLA_SECRET_X', timeoutMs: 1 }) as const;

describe('where a webhook goes', () => {
  it.each([
    ['https://hooks.example.org/services/T0/B0/key', 'https://hooks.example.org/…'],
    ['https://hooks.example.org:8443/a?token=key#x', 'https://hooks.example.org:8443/…'],
    ['http://user:key@[::1]:9/', 'http://[::1]:9/…'],
    ['https://us%40er:k@hooks.example.org', 'https://hooks.example.org/…'],
    ['https://hooks.example.org?key', 'https://hooks.example.org/…'],
  ])('%s is %s for who may not know it', (url, shown) => {
    expect(describeTransport(hook(url), false)).toBe(shown);
    expect(describeTransport(hook(url), true)).toBe(url);
  });
});
