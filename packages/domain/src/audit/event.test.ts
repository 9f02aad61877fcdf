import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makePerson, makeSeededIds, TEST_EPOCH_MS } from '@stella/testkit';
import { chainEvents, chainHash, EVENT_TYPES, eventCanonicalForm, type EventDraft } from './event.ts';

const promotionId = makeSeededIds(1).next('prm');

const draft: fc.Arbitrary<EventDraft> = fc.record({
  type: fc.constantFrom(...EVENT_TYPES),
  actor: fc.constantFrom(makePerson('alice'), makePerson('bob')),
  atMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  promotionId: fc.constant(promotionId),
  subject: fc.string(),
  data: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean())),
});

const START = { head: null, length: 0 };

describe('chainEvents', () => {
  it('hashes what is written down, so that an auditor can do it with any tool', () => {
    const event: EventDraft = {
      type: 'promotion.created',
      actor: { kind: 'system', name: 'retention' },
      atMs: TEST_EPOCH_MS,
      promotionId,
      subject: 'x',
      data: { b: 1, a: 2 },
    };
    const form =
      `{"actor":{"kind":"system","name":"retention"},"at":"2026-01-01T00:00:00.000Z","data":{"a":2,"b":1},` +
      `"promotion":"${promotionId}","promotionSeq":1,"subject":"x","type":"promotion.created"}`;
    expect(eventCanonicalForm(event, 1)).toBe(form);
    const [chained] = chainEvents(START, [event]).events;
    expect(chained?.hash).toBe(`sha256:${createHash('sha256').update(`\n${form}`).digest('hex')}`);
  });

  it('gives the same chain, in one go or in several', () => {
    fc.assert(
      fc.property(fc.array(draft), fc.array(draft), (first, second) => {
        const whole = chainEvents(START, [...first, ...second]);
        const part = chainEvents(START, first);
        const rest = chainEvents(part.position, second);
        expect([...part.events, ...rest.events]).toEqual(whole.events);
        expect(rest.position).toEqual(whole.position);
        expect(whole.position.length).toBe(first.length + second.length);
      }),
    );
  });

  it('shows every change of any event, and every event that is missing or moved', () => {
    fc.assert(
      fc.property(fc.array(draft, { minLength: 2, maxLength: 6 }), fc.nat(), (drafts, at) => {
        const head = chainEvents(START, drafts).position.head;
        const i = at % drafts.length;
        const headOf = (others: readonly EventDraft[]): unknown => chainEvents(START, others).position.head;
        expect(headOf(drafts.filter((_, index) => index !== i))).not.toBe(head);
        expect(headOf(drafts.map((one, index) => (index === i ? { ...one, atMs: one.atMs + 1 } : one)))).not.toBe(head);
        expect(headOf(drafts.map((one, index) => (index === i ? { ...one, data: [] } : one)))).not.toBe(head);
        expect(headOf([...drafts, ...drafts.slice(0, 1)])).not.toBe(head);
      }),
    );
  });

  it('leaves events outside of a promotion alone, between chained ones too', () => {
    const own: EventDraft = {
      type: 'lock.acquired',
      actor: makePerson('alice'),
      atMs: 0,
      promotionId,
      subject: 'a',
      data: {},
    };
    const other: EventDraft = { ...own, promotionId: null };
    const { events, position } = chainEvents(START, [own, other, own]);
    expect(events.map((event) => event.promotionSeq)).toEqual([1, null, 2]);
    expect(events[1]?.hash).toBe(chainHash(null, eventCanonicalForm(other, null)));
    expect(position).toEqual({ head: events[2]?.hash, length: 2 });
  });
});
