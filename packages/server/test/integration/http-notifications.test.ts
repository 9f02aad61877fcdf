/** Channels on a real server: a webhook that is verified by the library of Standard Webhooks, and mail to a real SMTP server. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@stella/testkit';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  applyEnvironments,
  ask,
  createReleases,
  enrol,
  startTestServer,
  type TestServer,
  untilStatus,
} from './http-fixture.ts';
import { type MailServer, startMailServer } from './mail-server.ts';

const TIMEOUT_MS = 60_000;
const SECRET = `whsec_${Buffer.from('a key of more than twenty-four bytes').toString('base64')}`;

interface Received {
  readonly path: string;
  readonly id: string;
  /** As the library verified it. */
  readonly body: {
    readonly type: string;
    readonly data: { readonly promotion: string; readonly commands: readonly string[] };
  };
}

let test: TestServer;
let hook: Server;
let mail: MailServer;
let hookUrl = '';
const received: Received[] = [];
/** Requests that never get an answer. */
let hungCount = 0;

beforeAll(async () => {
  hook = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      if (path === '/hang') {
        hungCount += 1;
        return;
      }
      // What the library parsed is looked at member by member.
      const headers = request.headers as Record<string, string>;
      const body = new Webhook(SECRET).verify(Buffer.concat(chunks), headers) as Received['body'];
      received.push({ path, id: String(request.headers['webhook-id']), body });
      if (path === '/gone') response.statusCode = 410;
      if (path === '/moved') response.writeHead(302, { location: `${hookUrl}/good` });
      response.end('thank you');
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  hookUrl = `http://127.0.0.1:${(hook.address() as AddressInfo).port}`;
  mail = await startMailServer();
  test = await startTestServer({ STELLA_SECRET_HOOK: SECRET, STELLA_STUCK_AFTER: '1s' });
  await applyEnvironments(test, [{ name: 'dev', gates: ['- { name: sign, kind: approval }'] }, { name: 'qa' }]);
  await createReleases(test, 3);
});
afterAll(async () => {
  await test.remove();
  await mail.close();
  hook.closeAllConnections();
  hook.close();
});

function webhook(name: string, path: string, more = ''): string {
  return `kind: Notification\nname: ${name}\n${more}webhook: { url: "${hookUrl}${path}", secret: env:STELLA_SECRET_HOOK, timeout: 1s }\n`;
}

function apply(text: string, prune = false) {
  return test.admin.call('applyDefinitions', { body: { documents: [{ file: 'channels.yaml', text }], prune } });
}

async function promote(release: string, environment: string): Promise<string> {
  return (await test.admin.call('createPromotion', { body: { release, environment } })).id;
}

const told = (path: string, promotion: string): readonly string[] =>
  received.filter((one) => one.path === path && one.body.data.promotion === promotion).map(({ body }) => body.type);

describe('a channel', () => {
  it('hears of an approval and of the end, signed; one that hangs keeps neither it nor the promotion waiting', async () => {
    const answer = await apply([webhook('room', '/good'), webhook('hung', '/hang')].join('---\n'));
    expect(answer.channels).toMatchObject([
      { channel: 'room', change: 'created', version: 1 },
      { channel: 'hung', change: 'created', version: 1 },
    ]);
    const bob = await enrol(test, 'bob', 'approver@*');
    const id = await promote('shop-1', 'dev');
    await waitFor(() => told('/good', id).includes('approval.pending'), { timeoutMs: TIMEOUT_MS, why: 'it is told' });
    const approval = received.find((one) => one.body.data.promotion === id);
    expect(approval?.body.data.commands[0]).toBe(`stella promotion approve ${id} --gate sign`);
    await waitFor(() => hungCount > 0, { timeoutMs: TIMEOUT_MS, why: 'the other one hangs' });
    await bob.client.call('approvePromotion', { parameters: { promotion: id }, body: {} });
    await untilStatus(test.admin, id, 'completed');
    await waitFor(() => told('/good', id).includes('promotion.completed'), {
      timeoutMs: TIMEOUT_MS,
      why: 'it is told',
    });
    expect(told('/good', id)).toEqual(['approval.pending', 'promotion.completed']);
    const deliveries = async () => (await test.admin.call('listDeliveries', { query: { channel: 'room' } })).items;
    const isRecorded = async (): Promise<boolean> => (await deliveries()).every(({ state }) => state === 'delivered');
    await waitFor(isRecorded, { timeoutMs: TIMEOUT_MS, why: 'both are recorded' });
    const items = await deliveries();
    expect(items.map(({ state, attempts, message }) => [state, attempts, message])).toEqual([
      ['delivered', 1, 'status 200'],
      ['delivered', 1, 'status 200'],
    ]);
    expect(items.map(({ id: delivery }) => delivery).toSorted()).toEqual(
      received
        .filter((one) => one.path === '/good')
        .map((one) => one.id)
        .toSorted(),
    );
  });

  it('gives up what its receiver wants no more, follows no redirect, and shows both', async () => {
    await apply(
      [webhook('gone', '/gone', 'events: [promotion.completed]\n'), webhook('moved', '/moved')].join('---\n'),
    );
    const before = received.filter(({ path }) => path === '/good').length;
    const test1 = await test.admin.call('testChannel', { parameters: { channel: 'moved' }, body: {} });
    expect(test1).toMatchObject({ outcome: 'failed', message: 'status 302: redirects are not followed' });
    expect(received.filter(({ path }) => path === '/good')).toHaveLength(before);
    const id = await promote('shop-2', 'qa');
    await untilStatus(test.admin, id, 'completed');
    const dead = async () =>
      (await test.admin.call('listDeliveries', { query: { state: 'dead' } })).items.filter(
        (one) => one.channel === 'gone',
      );
    await waitFor(async () => (await dead()).length === 1, { timeoutMs: TIMEOUT_MS, why: 'it is given up' });
    const delivery = (await dead())[0]?.id ?? '';
    const retry = await test.admin.call('retryDelivery', { parameters: { delivery }, body: { dryRun: true } });
    expect(retry).toMatchObject({ id: delivery, state: 'pending', attempts: 0, dryRun: true });
    const channels = (await test.admin.call('listChannels')).items;
    expect(channels.find(({ name }) => name === 'gone')).toMatchObject({ dead: 1, pending: 0 });
    const { text } = (await ask(test.server, '/metrics')).body;
    expect(text).toContain('stella_notifications_dead{channel="gone"} 1\n');
    expect(text).toContain('stella_notification_attempts_total{channel="gone",outcome="dead"} 1\n');
  });

  it('is tested, tried again and removed by those who may', async () => {
    const vera = await enrol(test, 'vera', 'viewer@*');
    const statusOf = async (path: string): Promise<number> =>
      (await ask(test.server, `/api/v1/notify/${path}`, { token: vera.token, body: {} })).status;
    expect(await statusOf('channels/room/test')).toBe(403);
    expect((await vera.client.call('listChannels')).items.length).toBeGreaterThan(0);
    const olga = await enrol(test, 'olga', 'operator@*');
    const dora = await enrol(test, 'dora', 'operator@dev');
    const shown = await Promise.all(
      [test.admin, olga.client, dora.client, vera.client].map(async (client) => {
        const { items } = await client.call('listChannels');
        return items.find(({ name }) => name === 'room')?.where;
      }),
    );
    const host = `${hookUrl}/…`;
    expect(shown).toEqual([`${hookUrl}/good`, `${hookUrl}/good`, host, host]);
    const unknown = await ask(test.server, '/api/v1/notify/channels/nobody/test', { body: {} });
    expect([unknown.status, unknown.body['code']]).toEqual([404, 'channel.not_found']);
    const nothing = await ask(test.server, '/api/v1/notify/deliveries/ntf_ffff/retry', { body: {} });
    expect([nothing.status, nothing.body['code']]).toEqual([404, 'delivery.not_found']);
    const good = await test.admin.call('testChannel', { parameters: { channel: 'room' }, body: {} });
    expect(good).toMatchObject({ outcome: 'delivered', message: 'status 200' });
  });

  it('may be mail, with the same message', async () => {
    await apply(
      `kind: Notification\nname: post\nevents: [promotion.completed]\nmail: { host: 127.0.0.1, port: ${mail.port}, tls: none, from: stella@example.org, to: [ops@example.org, on-call@example.org] }\n`,
    );
    const id = await promote('shop-3', 'qa');
    await untilStatus(test.admin, id, 'completed');
    await waitFor(() => mail.messages.length > 0, { timeoutMs: TIMEOUT_MS, why: 'the mail comes' });
    const [message] = mail.messages;
    expect(message?.to).toEqual(['ops@example.org', 'on-call@example.org']);
    expect(message?.text).toMatch(/^Message-ID: <ntf_[0-9a-f]{32}@example\.org>/m);
    expect(message?.text).toContain(`stella promotion status ${id}`);
  });

  it('is pruned with files of channels, which takes no environment, or by its kind with any file', async () => {
    const removedOf = (changes: readonly { readonly change: string }[]) =>
      changes.filter(({ change }) => change === 'removed').length;
    const known = (await test.admin.call('listChannels')).items.length;
    const ofChannels = await apply(webhook('room', '/good'), true);
    expect([ofChannels.changes, removedOf(ofChannels.channels)]).toEqual([[], known - 1]);
    const environments = (await test.admin.call('listEnvironments')).items.map(({ name }) => name);
    expect(environments).toEqual(['dev', 'qa']);
    const request = { documents: [], pruneKinds: ['Notification' as const], dryRun: true };
    const byKind = await test.admin.call('applyDefinitions', { body: request });
    expect([byKind.changes, byKind.channels]).toMatchObject([[], [{ channel: 'room', change: 'removed' }]]);
  });
});
