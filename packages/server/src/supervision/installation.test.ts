import fc from 'fast-check';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { differences, formatVariables, secretVariables, serverVariables } from './installation.ts';

describe('the variables of a service', () => {
  it('come out of the file as they were written', () => {
    const value = fc.string({ maxLength: 40 }).filter((text) => !/['"\\`\r\n\0]/.test(text));
    const name = fc.stringMatching(/^STELLA_[A-Z_]{1,20}$/);
    fc.assert(
      fc.property(fc.dictionary(name, value), (variables) => {
        expect(parseEnv(formatVariables(variables))).toEqual({ ...variables });
      }),
    );
  });

  it.each(["a'b", 'a"b', 'a\\b', 'a\nb', 'a`b'])('are refused with the value %j', (value) => {
    expect(() => formatVariables({ STELLA_URL: value })).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });

  it('are those of a server only', () => {
    const env = { PATH: '/bin', STELLA_LISTEN: ':0', STELLA_CONFIG: 'x', STELLA_DATA_DIR: '/d', STELLA_URL: undefined };
    expect(serverVariables({ ...env, STELLA_SECRET_CAB: 'key' })).toEqual({ STELLA_LISTEN: ':0' });
    expect(secretVariables({ ...env, STELLA_SECRET_CAB: 'key' })).toEqual({ STELLA_SECRET_CAB: 'key' });
  });

  it('differ where one of them has another value or none', () => {
    expect(differences({ A: '1', B: '2' }, { B: '3', C: '4' })).toEqual(['A', 'B', 'C']);
    expect(differences({ A: '1' }, { A: '1' })).toEqual([]);
  });
});
