import { describe, expect, it } from 'vitest';
import { hostsOf } from './primary.ts';

const urlsOf = (url: string): (string | undefined)[] =>
  hostsOf({ kind: 'url', url }).map(({ config }) => config.connectionString);
const namesOf = (url: string): string[] => hostsOf({ kind: 'url', url }).map(({ name }) => name);
const refusalOf = (url: string): unknown => {
  try {
    hostsOf({ kind: 'url', url });
    return null;
  } catch (error) {
    return error;
  }
};

describe('the hosts of a database URL', () => {
  it('are each given a URL of its own, in order, with everything else the same', () => {
    expect(urlsOf('postgresql://u:p%40ss@db-1:5432,db-2.example:5433/shop?sslmode=verify-full')).toEqual([
      'postgresql://u:p%40ss@db-1:5432/shop?sslmode=verify-full',
      'postgresql://u:p%40ss@db-2.example:5433/shop?sslmode=verify-full',
    ]);
    expect(namesOf('postgres://u@db-1,[::1]:6432/shop')).toEqual(['db-1:5432', '[::1]:6432']);
  });

  it('are one for the URL of one host, a socket in the query, or the embedded database', () => {
    expect(urlsOf('postgres://u@db/shop')).toEqual(['postgres://u@db/shop']);
    expect(urlsOf('postgres://u@/shop?host=/run/postgresql')).toEqual(['postgres://u@/shop?host=/run/postgresql']);
    expect(namesOf('postgres://u@/shop?host=/run/postgresql')).toEqual(['/run/postgresql']);
    expect(hostsOf({ kind: 'socket', directory: '/run/x', user: 'app', database: 'stella' })).toEqual([
      { name: '/run/x', config: { host: '/run/x', user: 'app', database: 'stella' } },
    ]);
  });

  it('may ask for a server that takes writes, which is all that is used anyway', () => {
    for (const words of ['any', 'read-write', 'primary']) {
      expect(urlsOf(`postgres://u@a,b/shop?target_session_attrs=${words}&sslmode=disable`)).toEqual([
        'postgres://u@a/shop?sslmode=disable',
        'postgres://u@b/shop?sslmode=disable',
      ]);
    }
    expect(urlsOf('postgres://u@a/shop?target_session_attrs=primary')).toEqual(['postgres://u@a/shop']);
  });

  it.each([
    ['a server that only reads', 'postgres://u:secret@a,b/shop?target_session_attrs=standby'],
    ['an empty name in the list', 'postgres://u:secret@a,,b/shop'],
    ['a port that is none', 'postgres://u:secret@a:x,b/shop'],
    ['a list in the query', 'postgres://u:secret@/shop?host=a,b'],
    ['more hosts than anybody has', `postgres://u:secret@${Array.from({ length: 17 }, () => 'a').join(',')}/shop`],
  ])('are refused as config.invalid, without the password: %s', (_what, url) => {
    expect(refusalOf(url)).toMatchObject({ code: 'config.invalid' });
    expect(String(refusalOf(url))).not.toContain('secret');
  });
});
