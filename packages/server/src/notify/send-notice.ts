/** One attempt to bring a notice to its channel: secrets are read now, and nothing that is answered holds one. */
import {
  canonicalJson,
  type DeliveryAnswer,
  type Json,
  type MailTransport,
  toMailText,
  type WebhookTransport,
} from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import { type HttpClient, HttpFailure, type HttpResponse } from '../ports/http-client.ts';
import { type MailClient, MailFailure } from '../ports/mail-client.ts';
import type { SendNotice, SendOrder } from '../ports/notify-sender.ts';
import type { Secrets } from '../ports/secrets.ts';
import { signatureHeaders } from '../webhooks/webhook-signature.ts';

/** Nobody reads what a receiver says beside its status. */
const ANSWER_BYTES_MAX = 65_536;
/** Standard Webhooks: the receiver is gone for good. */
const STATUS_GONE = 410;

export interface SendDeps {
  readonly http: HttpClient;
  readonly mail: MailClient;
  readonly secrets: Secrets;
  readonly clock: Pick<Clock, 'nowMs'>;
}

export function makeSendNotice(deps: SendDeps): SendNotice {
  return async (order) => {
    const { transport } = order.channel;
    try {
      return await (transport.kind === 'webhook'
        ? callWebhook(deps, order, transport)
        : writeMail(deps, order, transport));
    } catch (error) {
      if (error instanceof HttpFailure) return failed(`${error.failure}: ${error.message}`);
      if (error instanceof MailFailure) return failed(error.message);
      // Of a library or of the system: its words are not known to hold no secret.
      return failed('it could not be sent, for a reason that is not known');
    }
  };
}

async function callWebhook(
  { http, secrets, clock }: SendDeps,
  { id, notice, signal }: SendOrder,
  { url, secret, timeoutMs }: WebhookTransport,
): Promise<DeliveryAnswer> {
  const found = await secrets.read(secret);
  if (!found.isThere) return failed(`its secret: ${found.message}`);
  // A notice is a plain JSON value.
  const body = canonicalJson(notice as unknown as Json);
  const response = await http.request({
    method: 'POST',
    url,
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      ...signatureHeaders(found.key, { id, atMs: clock.nowMs(), body }),
    },
    body,
    timeoutMs,
    responseBytesMax: ANSWER_BYTES_MAX,
    signal,
  });
  await leave(response);
  return judge(response.status);
}

/** The status says it all. */
async function leave({ body }: HttpResponse): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}

function judge(status: number): DeliveryAnswer {
  if (status >= 200 && status < 300) return { outcome: 'delivered', message: `status ${status}` };
  if (status === STATUS_GONE) return { outcome: 'refused', message: 'status 410: the receiver wants nothing more' };
  if (status >= 300 && status < 400) return failed(`status ${status}: redirects are not followed`);
  return failed(`status ${status} instead of 2xx`);
}

async function writeMail(
  { mail, secrets }: SendDeps,
  { id, notice, signal }: SendOrder,
  { host, port, tls, from, to, login, timeoutMs }: MailTransport,
): Promise<DeliveryAnswer> {
  const found = login === null ? null : await secrets.readPassword(login.password);
  if (found?.isThere === false) return failed(`its password: ${found.message}`);
  const entry = login === null || found === null ? null : { user: login.user, password: found.password };
  const [, domain = 'stella'] = from.split('@');
  const words = await mail.send({
    host,
    port,
    tls,
    login: entry,
    from,
    to,
    messageId: `<${id}@${domain}>`,
    ...toMailText(notice),
    timeoutMs,
    signal,
  });
  return { outcome: 'delivered', message: words };
}

function failed(message: string): DeliveryAnswer {
  return { outcome: 'failed', message };
}
