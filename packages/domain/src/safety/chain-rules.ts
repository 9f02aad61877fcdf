/**
 * S13: the audit log can be proven. Every hash is recomputed from what an auditor would read; what retention removed is told
 * of by an event. S12 is here too: an effect is stored with its answer or not at all.
 */
import { chainHash, eventCanonicalForm } from '../audit/event.ts';
import type { Digest } from '../values/digest.ts';
import { countField } from './event-fields.ts';
import type { StoredEvent } from './store-state.ts';
import { type Found, hashOnce, type PromotionRule, type StoreRule, type StoreView, unless } from './store-view.ts';
import { isPruned } from './trail-rules.ts';

const own: PromotionRule = {
  name: 'S13.own',
  find: (record, view) => {
    if (isPruned(record)) return [];
    let head: Digest | null = null;
    let isChained = true;
    for (const [index, event] of record.events.entries()) {
      const after = head;
      head = hashOnce(view, { of: event, slot: 'own', after }, () =>
        chainHash(after, eventCanonicalForm(event, index + 1)),
      );
      isChained &&= event.hash === head && event.promotionSeq === index + 1;
    }
    return unless(
      isChained && head === record.promotion.chainHead,
      record,
      'its events are not the ones that were chained',
    );
  },
};

const alone: StoreRule = {
  name: 'S13.alone',
  find: (view) =>
    view.state.events
      .filter(
        (event) =>
          hashOnce(view, { of: event, slot: 'own', after: null }, () =>
            chainHash(null, eventCanonicalForm(event, null)),
          ) !== event.hash,
      )
      .map((event) => ({ subject: `event ${event.seq ?? 'without seq'}`, message: 'is not the one that was hashed' })),
};

type SequencedEvent = StoredEvent & { readonly seq: number };

/** Two rules go through the same list. */
const listed = new WeakMap<StoreView, readonly SequencedEvent[]>();

function sequenced(view: StoreView): readonly SequencedEvent[] {
  const known = listed.get(view);
  if (known) return known;
  const all = [...view.state.events, ...view.state.promotions.flatMap((record) => record.events)];
  const events = all.filter((event): event is SequencedEvent => event.seq !== null).sort((a, b) => a.seq - b.seq);
  listed.set(view, events);
  return events;
}

const link: StoreRule = {
  name: 'S13.link',
  find: (view) => {
    const events = sequenced(view);
    return events.flatMap((event, index): Found[] => {
      const before = events[index - 1];
      const isFirst = event.seq === 1;
      // What stood before it may have been removed; then nothing can be said of the link.
      if (!isFirst && before?.seq !== event.seq - 1) return [];
      const after = isFirst ? null : (before?.chainHash ?? null);
      const hash = hashOnce(view, { of: event, slot: 'link', after }, () => chainHash(after, event.hash));
      const isLinked = event.chainHash === hash;
      return isLinked ? [] : [{ subject: `event ${event.seq}`, message: 'is not linked to the one before it' }];
    });
  },
};

const head: StoreRule = {
  name: 'S13.head',
  find: (view) => {
    const { seq, hash } = view.state.chain;
    const events = sequenced(view);
    const last = events.at(-1);
    const isLast = last
      ? last.seq < seq || (last.seq === seq && last.chainHash === hash)
      : (seq === 0) === (hash === null);
    const prunedCount = view.state.events
      .filter((event) => event.type === 'retention.pruned')
      .reduce((sum, event) => sum + countField(event.data, 'count'), 0);
    // An event that was removed before it could be sequenced would be missing here for ever.
    const isComplete = seq - events.length === prunedCount;
    return isLast && isComplete
      ? []
      : [{ subject: 'chain', message: `ends at ${seq} with ${events.length} events and ${prunedCount} removed` }];
  },
};

const answered: StoreRule = {
  name: 'S12.answered',
  find: (view) =>
    view.state.idempotencyKeys
      .filter((one) => one.status === null)
      .map(({ name }) => ({ subject: name, message: 'has an effect and no answer' })),
};

export const CHAIN_PROMOTION_RULES: readonly PromotionRule[] = [own];
export const CHAIN_STORE_RULES: readonly StoreRule[] = [alone, link, head, answered];
