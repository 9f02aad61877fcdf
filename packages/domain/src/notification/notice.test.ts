import { makeApprovalGate, makeHttpGate, makeSeededIds } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { Actor } from '../identity/actor.ts';
import { TERMINAL_STATUSES } from '../promotion/status.ts';
import { NOTICE_TYPES } from './channel.ts';
import { toMailText } from './mail-text.ts';
import { noticeOfEvent, noticeOfStall, type NoticeFacts } from './notice.ts';

const ids = makeSeededIds(1);
const ALICE: Actor = { kind: 'person', id: ids.next('per'), subject: 'alice' };
const OLGA: Actor = { kind: 'person', id: ids.next('per'), subject: 'olga' };
const FACTS: NoticeFacts = {
  atMs: 0,
  promotionId: ids.next('prm'),
  environment: 'prod',
  releaseName: 'shop-2',
  requestedBy: ALICE,
  gates: [makeHttpGate({ name: 'tests' }), makeApprovalGate({ name: 'sign', count: 2, group: ['bob', 'eve'] })],
};
const ID = FACTS.promotionId;

describe('a notice', () => {
  it('of an approval says who may give it and how', () => {
    const event = { type: 'gate.opened', actor: ALICE, data: { gate: 'sign', kind: 'approval', round: 1 } } as const;
    expect(noticeOfEvent(FACTS, event)).toMatchObject({
      type: 'approval.pending',
      timestamp: '1970-01-01T00:00:00.000Z',
      data: {
        promotion: ID,
        state: 'pending_approval',
        gate: 'sign',
        summary: 'shop-2 → prod waits for approval at gate sign',
        who: '2 persons of bob, eve, with the role approver@prod, other than alice',
        commands: [
          `stella promotion approve ${ID} --gate sign`,
          `stella promotion reject ${ID} --gate sign --reason "…"`,
        ],
      },
    });
    expect(noticeOfEvent(FACTS, { ...event, data: { gate: 'tests', kind: 'http', round: 1 } })).toBeNull();
  });

  it('of a skip asks another person than the one who wants it', () => {
    const data = { gate: 'tests', reason: 'the service is down', skip: 'skp_1', round: 1 };
    expect(noticeOfEvent(FACTS, { type: 'skip.requested', actor: OLGA, data })?.data).toMatchObject({
      detail: 'the service is down',
      who: 'one person of approver@prod, other than olga',
      commands: [
        `stella promotion approve ${ID} --skip tests`,
        `stella promotion reject ${ID} --skip tests --reason "…"`,
      ],
    });
  });

  it.each(TERMINAL_STATUSES)('of the end %s is of a type of its own', (to) => {
    const data = { from: 'in_progress', to, code: 'gate.failed', message: 'no' };
    const notice = noticeOfEvent(FACTS, { type: 'promotion.status_changed', actor: ALICE, data });
    expect(NOTICE_TYPES).toContain(notice?.type);
    expect(notice).toMatchObject({ type: `promotion.${to}`, data: { state: to, detail: 'gate.failed: no' } });
    expect(notice?.data.who !== null).toBe(to === 'failed' || to === 'rolled_back');
  });

  it('is not made of a change that ends nothing', () => {
    const data = { from: 'queued', to: 'in_progress' };
    expect(noticeOfEvent(FACTS, { type: 'promotion.status_changed', actor: ALICE, data })).toBeNull();
  });

  it('of a stall leads to the diagnosis', () => {
    const { type, data } = noticeOfStall(FACTS, 754_321);
    expect(type).toBe('promotion.stalled');
    expect(data).toMatchObject({
      summary: 'shop-2 → prod makes no progress for 12m34s',
      commands: [`stella promotion diagnose ${ID}`],
    });
  });

  it('is a mail whose head has one line, whatever others wrote', () => {
    const notice = noticeOfStall({ ...FACTS, releaseName: 'shop\r\nBcc: x@y' }, 60_000);
    const { subject, text } = toMailText(notice);
    expect(subject).toBe('[stella] shop Bcc: x@y → prod makes no progress for 1m');
    expect(text).toContain(`\n  stella promotion diagnose ${ID}\n`);
    expect(text).toContain('\nTo act       operator@prod\n');
  });
});
