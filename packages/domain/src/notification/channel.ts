/** Where people hear of promotions: a channel is a webhook or mail, for some events of some environments. */
import { canonicalJson, type Json } from '../values/canonical-json.ts';
import { type Digest, digestOf } from '../values/digest.ts';
import { matchesPattern } from '../identity/authorize.ts';

/** What people are told of: somebody must approve, nothing moves, it has ended. */
export const NOTICE_TYPES = [
  'approval.pending',
  'promotion.stalled',
  'promotion.completed',
  'promotion.failed',
  'promotion.rejected',
  'promotion.cancelled',
  'promotion.superseded',
  'promotion.rolled_back',
] as const;
export type NoticeType = (typeof NOTICE_TYPES)[number];

/** `starttls`: clear text is upgraded before anything is said, or nothing is sent. `none`: for a relay of this machine. */
export const MAIL_TLS_MODES = ['starttls', 'implicit', 'none'] as const;
export type MailTlsMode = (typeof MAIL_TLS_MODES)[number];

export const CHANNEL_KINDS = ['webhook', 'mail'] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];

/** Signed as Standard Webhooks says, https://www.standardwebhooks.com. */
export interface WebhookTransport {
  readonly kind: 'webhook';
  readonly url: string;
  /** Where the key is: `env:STELLA_SECRET_…` or `file:/…`. It is read at each use and kept nowhere. */
  readonly secret: string;
  /** From the call to the last byte of the answer. Default 10 s. */
  readonly timeoutMs: number;
}

export interface MailTransport {
  readonly kind: 'mail';
  readonly host: string;
  readonly port: number;
  readonly tls: MailTlsMode;
  readonly from: string;
  readonly to: readonly string[];
  /** Both or neither; the password by reference, as a webhook's key. */
  readonly login: { readonly user: string; readonly password: string } | null;
  /** Of the whole conversation with the mail server. Default 30 s. */
  readonly timeoutMs: number;
}

export type ChannelTransport = WebhookTransport | MailTransport;

export interface NotificationChannel {
  /** Unique, `[a-z0-9-]{1,63}`. */
  readonly name: string;
  readonly events: readonly NoticeType[];
  /** Patterns of names, `prod-*`; of those environments the channel hears. */
  readonly environments: readonly string[];
  readonly transport: ChannelTransport;
}

/** Each of them hears of each event, so that many multiply what is written. */
export const CHANNEL_COUNT_MAX = 50;

export function doesHear({ events, environments }: NotificationChannel, type: string, environment: string): boolean {
  const known: readonly string[] = events;
  return known.includes(type) && environments.some((pattern) => matchesPattern(pattern, environment));
}

/** Equal definitions have equal hashes. */
export function channelHash(channel: NotificationChannel): Digest {
  // A definition is a plain JSON value.
  return digestOf(canonicalJson(channel as unknown as Json));
}

/**
 * Where its messages go, for lists: `https://hooks.example.org/stella`, `mail to ops@example.org`. Many services put a key
 * into the address of a webhook: who may not know it is told the host, `https://hooks.example.org/…`.
 */
export function describeTransport(transport: ChannelTransport, mayKnowAddress: boolean): string {
  if (transport.kind === 'webhook') return mayKnowAddress ? transport.url : hostOf(transport.url);
  return `mail to ${transport.to.join(', ')} by ${transport.host}:${transport.port}`;
}

/** With its port; without a user and a password. */
function hostOf(url: string): string {
  const [, scheme = '', host = ''] = /^([a-z]+:\/\/)(?:[^/?#]*@)?([^/?#@]*)/i.exec(url) ?? [];
  return `${scheme}${host}/…`;
}
