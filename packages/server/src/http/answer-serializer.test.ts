import { type RouteName, ROUTE_NAMES } from '@stella/contract';
import { describe, expect, it } from 'vitest';
import { lazySerializer, makeSerializer } from './answer-serializer.ts';

/** Answers no JSON. */
const STREAM: RouteName = 'streamEvents';

describe('the serializer of answers', () => {
  it.each(ROUTE_NAMES.filter((name) => name !== STREAM))('can be made of what the contract says of %s', (name) => {
    expect(makeSerializer(name)).toBeTypeOf('function');
  });

  it('keeps what the contract names, and nothing else, with every answer', () => {
    const serialize = lazySerializer('getVersion');
    for (const version of ['1.2.3', '1.2.4']) {
      const answer = { version, api: 'v1', password: 'nobody asked for it' };
      expect(JSON.parse(serialize(answer))).toEqual({ version, api: 'v1' });
    }
  });
});
