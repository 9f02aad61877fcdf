import { describe, expect, it } from 'vitest';
import { makeAutomation, makePerson, makeSeededIds, personIdOf } from '@stella/testkit';
import { formatActor, personOf } from './actor.ts';

describe('personOf', () => {
  it('counts an automation as the person who minted its token', () => {
    expect(personOf(makePerson('alice'))).toBe(personIdOf('alice'));
    expect(personOf(makeAutomation('ci', 'alice'))).toBe(personIdOf('alice'));
  });

  it('counts workers and the system as nobody', () => {
    expect(personOf({ kind: 'worker', id: makeSeededIds(1).next('wrk') })).toBeNull();
    expect(personOf({ kind: 'system', name: 'retention' })).toBeNull();
  });
});

describe('formatActor', () => {
  it('says who it is', () => {
    const id = makeSeededIds(1).next('wrk');
    expect(formatActor(makePerson('alice'))).toBe('alice');
    expect(formatActor(makeAutomation('ci', 'alice'))).toBe('automation ci');
    expect(formatActor({ kind: 'worker', id })).toBe(`worker ${id}`);
    expect(formatActor({ kind: 'system', name: 'retention' })).toBe('retention');
  });
});
