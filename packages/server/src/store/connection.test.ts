/** What an error of the driver says about the connection. */
import { describe, expect, it } from 'vitest';
import { isConnectionError } from './connection.ts';

function refused(code: string): Error {
  return Object.assign(new Error('no'), { code });
}

describe('an error that says that the connection is gone', () => {
  it.each(['08006', '57P01', '53300', '25006', 'ECONNRESET'])('is one with the code %s', (code) => {
    expect(isConnectionError(refused(code))).toBe(true);
  });

  it.each([
    ['25P03', 'idle in a transaction for too long'],
    ['25P04', 'a transaction for too long'],
  ])('is one with the code %s: the server ended it, %s, which is no fault of a promotion', (code) => {
    expect(isConnectionError(refused(code))).toBe(true);
  });

  it.each(['23505', '40001', '25P02', 'P0001'])('is none with the code %s', (code) => {
    expect(isConnectionError(refused(code))).toBe(false);
  });
});
