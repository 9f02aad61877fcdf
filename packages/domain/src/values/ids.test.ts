import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ID_PREFIXES, isIdStart, makeIds, parseId } from './ids.ts';

const zeros = (count: number): Uint8Array => new Uint8Array(count);

describe('makeIds', () => {
  it('writes the time first, then version 7 and the variant (RFC 9562, section 5.7)', () => {
    const ids = makeIds(
      () => 0x0190_0000_0001,
      (count) => new Uint8Array(count).fill(0xff),
    );
    expect(ids.next('prm')).toBe('prm_0190000000017000bfffffffffffffff');
    expect(ids.next('prm')).toBe('prm_0190000000017001bfffffffffffffff');
  });

  it('strictly increases, also when the clock stands still or goes back', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 200 }), (steps) => {
        let nowMs = 1_767_225_600_000;
        const ids = makeIds(() => nowMs, zeros);
        const made = steps.map((step) => {
          nowMs += step;
          return ids.next('rel');
        });
        expect([...made].sort()).toEqual(made);
        expect(new Set(made).size).toBe(made.length);
      }),
    );
  });

  it('goes on increasing after more ids in one millisecond than the counter holds', () => {
    const ids = makeIds(() => 1_000, zeros);
    let last = '';
    for (let count = 0; count < 10_000; count += 1) {
      const next = ids.next('tok');
      expect(next > last).toBe(true);
      last = next;
    }
    expect(parseId('tok', last)).toBe(last);
  });
});

describe('parseId', () => {
  const id = makeIds(() => 1_767_225_600_000, zeros).next('prm');

  it('takes whole ids of the kind only', () => {
    expect(parseId('prm', id)).toBe(id);
    for (const prefix of ID_PREFIXES) {
      if (prefix === 'prm') continue;
      expect(() => parseId(prefix, id)).toThrow(expect.objectContaining({ code: 'input.id' }));
    }
  });

  it.each(['', 'prm_', id.slice(0, -1), `${id}0`, `${id}\n`, id.toUpperCase(), id.replace('_', '-'), null, 7])(
    'refuses %j',
    (value) => {
      expect(() => parseId('prm', value)).toThrow(expect.objectContaining({ code: 'input.id' }));
    },
  );

  it('knows what may become an id', () => {
    expect(isIdStart('prm', 'prm_0')).toBe(true);
    expect(isIdStart('prm', id)).toBe(true);
    expect(isIdStart('prm', 'prm_')).toBe(false);
    expect(isIdStart('prm', `${id}0`)).toBe(false);
    expect(isIdStart('prm', 'rel_0')).toBe(false);
    expect(isIdStart('prm', 'prm_x%')).toBe(false);
  });
});
