/** A message to people about a promotion: what has happened, who must act, and with which command. */
import type { Actor } from '../identity/actor.ts';
import { formatActor } from '../identity/actor.ts';
import type { GateDefinition } from '../environment/environment-definition.ts';
import type { EventType } from '../audit/event.ts';
import { isTerminal, PROMOTION_STATUSES } from '../promotion/status.ts';
import type { Json } from '../values/canonical-json.ts';
import { formatDuration } from '../values/duration.ts';
import type { PromotionId } from '../values/ids.ts';
import { type InstantMs, toRfc3339 } from '../values/instant.ts';
import { NOTICE_TYPES, type NoticeType } from './channel.ts';

/** Kinds of events that may lead to a notice; what they say decides. */
export const NOTICED_EVENTS = [
  'gate.opened',
  'skip.requested',
  'promotion.status_changed',
] as const satisfies readonly EventType[];

/** What a chained event of a promotion says, with what is known of the promotion. */
export interface NoticeFacts {
  readonly atMs: InstantMs;
  readonly promotionId: PromotionId;
  readonly environment: string;
  readonly releaseName: string;
  readonly requestedBy: Actor;
  /** Of the promotion's own definition. */
  readonly gates: readonly GateDefinition[];
}

export interface NoticedEvent {
  readonly type: EventType;
  readonly actor: Actor;
  readonly data: Json;
}

/** What `stella notify test` sends; of no promotion. */
export const TEST_NOTICE = 'notification.test';

/** JSON as it is: what a webhook sends, and what a mail is written from. */
export interface Notice {
  readonly type: NoticeType | typeof TEST_NOTICE;
  /** RFC 3339: when it happened, not when it was sent. */
  readonly timestamp: string;
  readonly data: {
    readonly promotion: string;
    readonly release: string;
    readonly environment: string;
    /** `pending_approval`, `stalled`, `failed` … */
    readonly state: string;
    /** Of an approval. */
    readonly gate: string | null;
    /** One line. */
    readonly summary: string;
    /** Why, or what else there is to know; empty when nothing is. */
    readonly detail: string;
    /** Who must act; null when nobody must. */
    readonly who: string | null;
    /** What they run, first the one that cures. */
    readonly commands: readonly string[];
    readonly requestedBy: string;
  };
}

/** Bound of what others wrote: messages of gates, reasons. */
const DETAIL_LENGTH_MAX = 1_000;

/** Null: nobody is told of it. */
export function noticeOfEvent(facts: NoticeFacts, { type, actor, data }: NoticedEvent): Notice | null {
  // Data of events are objects.
  const said = data as Readonly<Record<string, Json>>;
  if (type === 'gate.opened') return said['kind'] === 'approval' ? approvalOf(facts, textOf(said['gate'])) : null;
  if (type === 'skip.requested') return skipOf(facts, actor, said);
  return type === 'promotion.status_changed' ? endOf(facts, said) : null;
}

export function noticeOfStall(facts: NoticeFacts, stalledMs: number): Notice {
  const { promotionId, environment } = facts;
  return noticeOf(facts, {
    type: 'promotion.stalled',
    state: 'stalled',
    gate: null,
    summary: `${wayOf(facts)} makes no progress for ${formatDuration(wholeSeconds(stalledMs))}`,
    detail: 'the diagnosis names the cause and what cures it',
    who: `operator@${environment}`,
    commands: [`stella promotion diagnose ${promotionId}`],
  });
}

/** Says of itself that nothing has happened. */
export function testNotice(channel: string, by: Actor, nowMs: InstantMs): Notice {
  return {
    type: TEST_NOTICE,
    timestamp: toRfc3339(nowMs),
    data: {
      promotion: 'prm_none',
      release: 'none',
      environment: 'none',
      state: 'test',
      gate: null,
      summary: `a test of the channel ${channel}; nothing has happened`,
      detail: '',
      who: null,
      commands: ['stella notify list'],
      requestedBy: formatActor(by),
    },
  };
}

function approvalOf(facts: NoticeFacts, gateName: string): Notice {
  const { promotionId, environment, gates, requestedBy } = facts;
  const gate = gates.find((one) => one.name === gateName);
  const count = gate?.kind === 'approval' ? gate.count : 1;
  const group = gate?.kind === 'approval' ? gate.group : null;
  const among =
    group === null ? `approver@${environment}` : `${group.join(', ')}, with the role approver@${environment}`;
  const until = gate?.kind === 'approval' ? `; it fails after ${formatDuration(gate.deadlineMs)}` : '';
  return noticeOf(facts, {
    type: 'approval.pending',
    state: 'pending_approval',
    gate: gateName,
    summary: `${wayOf(facts)} waits for approval at gate ${gateName}`,
    detail: `${count === 1 ? 'one approval is' : `${count} approvals are`} wanted${until}`,
    who: `${count === 1 ? 'one person' : `${count} persons`} of ${among}, other than ${formatActor(requestedBy)}`,
    commands: [
      `stella promotion approve ${promotionId} --gate ${gateName}`,
      `stella promotion reject ${promotionId} --gate ${gateName} --reason "…"`,
    ],
  });
}

function skipOf(facts: NoticeFacts, actor: Actor, said: Readonly<Record<string, Json>>): Notice {
  const { promotionId, environment } = facts;
  const gate = textOf(said['gate']);
  return noticeOf(facts, {
    type: 'approval.pending',
    state: 'skip_requested',
    gate,
    summary: `${formatActor(actor)} asks to skip gate ${gate} of ${wayOf(facts)}`,
    detail: textOf(said['reason']),
    who: `one person of approver@${environment}, other than ${formatActor(actor)}`,
    commands: [
      `stella promotion approve ${promotionId} --skip ${gate}`,
      `stella promotion reject ${promotionId} --skip ${gate} --reason "…"`,
    ],
  });
}

const WORDS_OF_END: Readonly<Record<string, string>> = {
  completed: 'completed',
  failed: 'failed',
  rejected: 'was rejected',
  cancelled: 'was cancelled',
  superseded: 'made way for a newer release',
  rolled_back: 'was rolled back',
};

function endOf(facts: NoticeFacts, said: Readonly<Record<string, Json>>): Notice | null {
  const status = PROMOTION_STATUSES.find((one) => one === said['to']);
  if (status === undefined || !isTerminal(status)) return null;
  const type = NOTICE_TYPES.find((one) => one === `promotion.${status}`);
  if (type === undefined) return null;
  const { promotionId, environment } = facts;
  const isBad = status === 'failed' || status === 'rolled_back';
  return noticeOf(facts, {
    type,
    state: status,
    gate: null,
    summary: `${wayOf(facts)} ${WORDS_OF_END[status] ?? status}`,
    detail: [textOf(said['code']), textOf(said['message'])].filter((part) => part !== '').join(': '),
    who: isBad ? `releaser@${environment} or operator@${environment}` : null,
    commands: isBad
      ? [`stella promotion trace ${promotionId}`, `stella promotion retry ${promotionId}`]
      : [`stella promotion status ${promotionId}`],
  });
}

type Told = Omit<Notice['data'], 'promotion' | 'release' | 'environment' | 'requestedBy'> & {
  readonly type: NoticeType;
};

function noticeOf(facts: NoticeFacts, { type, detail, ...told }: Told): Notice {
  return {
    type,
    timestamp: toRfc3339(facts.atMs),
    data: {
      promotion: facts.promotionId,
      release: facts.releaseName,
      environment: facts.environment,
      ...told,
      detail: detail.slice(0, DETAIL_LENGTH_MAX),
      requestedBy: formatActor(facts.requestedBy),
    },
  };
}

/** `shop-2.4.1 → prod` */
function wayOf({ releaseName, environment }: NoticeFacts): string {
  return `${releaseName} → ${environment}`;
}

function wholeSeconds(durationMs: number): number {
  return Math.floor(durationMs / 1_000) * 1_000;
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
