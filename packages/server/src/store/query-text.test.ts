import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutLiterals } from './query-text.ts';

describe('the text of a query', () => {
  it.each([
    ["update t set a = 'it''s' where id = 5", 'update t set a = ? where id = ?'],
    ["select E'a\\'b', $tag$secret$tag$, $$x$$ -- secret", 'select ?, ?, ?'],
    ["insert into t values ('cut off by the serv", 'insert into t values (?'],
    ['select /* secret */ 1e5,\n  t.c2 from t', 'select ?, t.c2 from t'],
    ['', ''],
  ])('%s is shown as %s', (query, shown) => {
    expect(withoutLiterals(query)).toBe(shown);
  });

  it('never shows what stands in quotes', () => {
    const word = fc.stringMatching(/^[a-z]{8}$/);
    fc.assert(
      fc.property(word, fc.nat(40), (secret, cut) => {
        const query = `update accounts set password = 'SECRET${secret}' where name = 'x'`;
        expect(withoutLiterals(query.slice(0, query.length - cut))).not.toContain('SECRET');
      }),
    );
  });

  it('is short', () => {
    expect(withoutLiterals(`select ${'a, '.repeat(500)}b`).length).toBeLessThanOrEqual(121);
  });
});
