/** What happens, as it happens, on stderr: a line for each event that tells something. */
import type { Client, StreamedEvent } from '@stella/contract/client';

const TOLD = new Set([
  'promotion.created',
  'promotion.step_changed',
  'promotion.status_changed',
  'promotion.approved',
  'gate.verdict',
  'lock.acquired',
  'environment.released',
]);

/** Until the signal aborts. Names of promotions become readable when their creation was seen. */
export async function tellTimeline(client: Client, startedAtMs: number, signal: AbortSignal): Promise<void> {
  const names = new Map<string, string>();
  try {
    for await (const { data } of client.stream({ query: { after: 0 }, signal })) {
      const words = wordsOf(data, names);
      if (words === null) continue;
      const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1).padStart(5);
      process.stderr.write(`${seconds}s  ${words}\n`);
    }
  } catch (error) {
    if (!signal.aborted) process.stderr.write(`the timeline broke off: ${String(error)}\n`);
  }
}

function wordsOf(event: StreamedEvent['data'], names: Map<string, string>): string | null {
  if (event.promotionId === null || !TOLD.has(event.type)) return null;
  // The data of an event is an object.
  const data = event.data as Readonly<Record<string, unknown>>;
  if (event.type === 'promotion.created') names.set(event.promotionId, String(data['environment']));
  const where = (names.get(event.promotionId) ?? event.promotionId).padEnd(8);
  return `${where} ${tell(event.type, event.subject, data)}`;
}

function tell(type: string, subject: string, data: Readonly<Record<string, unknown>>): string {
  switch (type) {
    case 'promotion.created':
      return 'promotion created';
    case 'promotion.step_changed':
      return `${String(data['from'])} ${String(data['outcome'])}${typeof data['to'] === 'string' ? `, now ${data['to']}` : ''}`;
    case 'promotion.status_changed':
      return `status ${String(data['to'])}`;
    case 'promotion.approved':
      return `approved at gate ${subject}: ${String(data['reason'])}`;
    case 'gate.verdict':
      return `gate ${subject} ${String(data['verdict'])}: ${String(data['message'])}`;
    case 'lock.acquired':
      return 'environment locked';
    default:
      return `now runs the release, verified at its targets`;
  }
}
