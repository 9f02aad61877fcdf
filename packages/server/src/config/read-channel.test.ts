import { isAppError, NOTICE_TYPES } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { parseDocuments } from './parse-environments.ts';

const WEBHOOK = 'webhook: { url: "https://hooks.example.org/x", secret: "file:/etc/stella/hook" }';
const HEAD = 'kind: Notification\nname: room\n';

function messageOf(text: string): string {
  try {
    parseDocuments(text, 'x.yaml');
  } catch (error) {
    if (isAppError(error)) return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a document of kind Notification', () => {
  it('hears of everything without more', () => {
    expect(parseDocuments(HEAD + WEBHOOK, 'x.yaml')).toMatchObject({
      environments: [],
      channels: [
        {
          definition: {
            name: 'room',
            events: NOTICE_TYPES,
            environments: ['*'],
            transport: { kind: 'webhook', secret: 'file:/etc/stella/hook', timeoutMs: 10_000 },
          },
        },
      ],
    });
  });

  it('may be mail, over verified TLS unless it says otherwise', () => {
    const mail =
      'mail: { host: mail.example.org, from: stella@example.org, to: [ops@example.org], user: s, password: env:STELLA_SECRET_MAIL }';
    const text = `${HEAD}events: [promotion.stalled, approval.pending]\nenvironments: [prod-*]\n${mail}`;
    const [channel] = parseDocuments(text, 'x.yaml').channels;
    expect(channel?.definition).toEqual({
      name: 'room',
      events: ['approval.pending', 'promotion.stalled'],
      environments: ['prod-*'],
      transport: {
        kind: 'mail',
        host: 'mail.example.org',
        port: 587,
        tls: 'starttls',
        from: 'stella@example.org',
        to: ['ops@example.org'],
        login: { user: 's', password: 'env:STELLA_SECRET_MAIL' },
        timeoutMs: 30_000,
      },
    });
  });

  it.each([
    ['', 'either "webhook" or "mail"'],
    [`${WEBHOOK}\nmail: { host: h, from: a@b, to: [a@b] }`, 'either "webhook" or "mail"'],
    ['webhook: { url: "https://h/x", secret: hunter2 }', 'a secret is named, not written'],
    ['webhook: { url: "https://h/x" }', 'the key "secret" is missing'],
    [`events: [promotion.started]\n${WEBHOOK}`, '"promotion.started" is none of approval.pending'],
    [`events: []\n${WEBHOOK}`, 'events: expected at least one entry'],
    [`environments: ["Prod"]\n${WEBHOOK}`, 'no pattern of names'],
    ['mail: { host: h, from: "a@b\\nBcc: c@d", to: [a@b] }', 'is not a mail address'],
    ['mail: { host: h, from: a@b, to: [a@b], user: s }', 'user and password go together'],
    ['mail: { host: h, tls: none, from: a@b, to: [a@b], user: s, password: "file:/a" }', 'only over TLS'],
    ['mail: { host: "h:25", from: a@b, to: [a@b] }', 'is not the name of a host'],
  ])('is refused with %s', (text, words) => {
    expect(messageOf(HEAD + text)).toContain(words);
  });

  it('has a name of its own, which an environment may have, too', () => {
    const twice = `${HEAD}${WEBHOOK}\n---\n${HEAD}${WEBHOOK}`;
    expect(messageOf(twice)).toContain('the channel "room" is defined twice, first in line 1');
  });
});
