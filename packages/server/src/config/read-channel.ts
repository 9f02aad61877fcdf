/** A document of `kind: Notification` → a channel: which events of which environments go by webhook or by mail to whom. */
import {
  type ChannelTransport,
  MAIL_TLS_MODES,
  NOTICE_TYPES,
  type NotificationChannel,
  type NoticeType,
} from '@stella/domain';
import {
  checkHost,
  checkMailAddress,
  checkMailUser,
  checkName,
  checkPattern,
  checkSecretReference,
  checkUrl,
} from './definition-checks.ts';
import type { MapReader, NumberRule } from './map-reader.ts';
import { MINUTE_MS, SECOND_MS } from './time-units.ts';

export const NOTIFICATION_KIND = 'Notification';

const KEYS = ['kind', 'name', 'events', 'environments', 'webhook', 'mail'] as const;
const WEBHOOK_KEYS = ['url', 'secret', 'timeout'] as const;
const MAIL_KEYS = ['host', 'port', 'tls', 'from', 'to', 'user', 'password', 'timeout'] as const;
const WEBHOOK_TIMEOUT: NumberRule = { standard: 10 * SECOND_MS, min: SECOND_MS, max: MINUTE_MS };
const MAIL_TIMEOUT: NumberRule = { standard: 30 * SECOND_MS, min: SECOND_MS, max: 2 * MINUTE_MS };
/** RFC 8314: submission, upgraded. */
const PORT: NumberRule = { standard: 587, min: 1, max: 65_535 };
const PATTERN_COUNT_MAX = 50;
const RECIPIENT_COUNT_MAX = 50;

export function readChannel(map: MapReader): NotificationChannel {
  map.allow(KEYS);
  return {
    name: map.text('name', checkName),
    events: readEvents(map),
    environments: map.texts('environments', checkPattern, {
      countMax: PATTERN_COUNT_MAX,
      isRequired: map.has('environments'),
    }) ?? ['*'],
    transport: readTransport(map),
  };
}

/** In the order in which the domain names them, so that equal channels are equal; all without the key. */
function readEvents(map: MapReader): readonly NoticeType[] {
  const known: readonly string[] = NOTICE_TYPES;
  const check = (value: string): string | null =>
    known.includes(value) ? null : `"${value.slice(0, 80)}" is none of ${known.join(', ')}`;
  const isRequired = map.has('events');
  const wanted = map.texts('events', check, { countMax: NOTICE_TYPES.length, isRequired });
  return wanted === null ? NOTICE_TYPES : NOTICE_TYPES.filter((type) => wanted.includes(type));
}

function readTransport(map: MapReader): ChannelTransport {
  const webhook = map.map('webhook');
  const mail = map.map('mail');
  if (map.has('webhook') === map.has('mail')) {
    map.refuse('mail', 'a channel has either "webhook" or "mail"; make two channels for both');
  }
  return mail && !webhook ? readMail(mail) : readWebhook(webhook);
}

/** Null: it was noted already, and a harmless value is enough. */
function readWebhook(map: MapReader | null): ChannelTransport {
  if (!map) return { kind: 'webhook', url: '', secret: '', timeoutMs: SECOND_MS };
  map.allow(WEBHOOK_KEYS);
  return {
    kind: 'webhook',
    url: map.text('url', checkUrl),
    secret: map.text('secret', checkSecretReference),
    timeoutMs: map.duration('timeout', WEBHOOK_TIMEOUT),
  };
}

function readMail(map: MapReader): ChannelTransport {
  map.allow(MAIL_KEYS);
  const tls = map.choice('tls', MAIL_TLS_MODES, 'starttls') ?? 'starttls';
  if (map.has('user') !== map.has('password')) map.refuse('user', 'user and password go together');
  if (tls === 'none' && map.has('password')) map.refuse('password', 'a password is sent only over TLS');
  const login =
    map.has('user') && map.has('password')
      ? { user: map.text('user', checkMailUser), password: map.text('password', checkSecretReference) }
      : null;
  return {
    kind: 'mail',
    host: map.text('host', checkHost),
    port: map.count('port', PORT),
    tls,
    from: map.text('from', checkMailAddress),
    to: map.texts('to', checkMailAddress, { countMax: RECIPIENT_COUNT_MAX, isRequired: true }) ?? [],
    login,
    timeoutMs: map.duration('timeout', MAIL_TIMEOUT),
  };
}
