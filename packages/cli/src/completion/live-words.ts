/**
 * Values of one kind: fixed ones, and names and ids that the server is asked for. Whoever types must not wait and must not
 * read an error in the middle of a line: the deadline is short, and no answer means no words.
 */
import type { Client } from '@stella/contract/client';
import { PROMOTION_KINDS, PROMOTION_STATUSES } from '@stella/domain/client';
import { OUTPUT_FORMATS } from '../command.ts';
import type { Word } from './command-words.ts';

/** Shells show no more at a time. */
const WORDS_MAX = 100;

export interface LiveWordsOrder {
  /** As in `Next`. */
  readonly name: string;
  readonly before: readonly string[];
  /** Null when no server is known. */
  readonly client: Client | null;
  /** Of the configuration file. */
  readonly contexts: readonly string[];
}

/** Null: names of files. */
export async function liveWords(order: LiveWordsOrder): Promise<readonly Word[] | null> {
  const { name, client, contexts } = order;
  if (FILE_NAMES.has(name)) return null;
  const fixed = name === 'context' ? contexts : FIXED[name];
  if (fixed) return fixed.map((value) => ({ value, summary: '' }));
  const ask = SOURCES[name];
  if (!ask || client === null) return [];
  try {
    return (await ask(client, order.before)).slice(0, WORDS_MAX);
  } catch {
    // Nobody answers, or not to us: then the person types on without help.
    return [];
  }
}

const FILE_NAMES: ReadonlySet<string> = new Set(['path', 'file', 'directory']);

const FIXED: Readonly<Record<string, readonly string[] | undefined>> = {
  format: OUTPUT_FORMATS,
  status: PROMOTION_STATUSES,
  kind: PROMOTION_KINDS,
  priority: ['low', 'normal', 'high'],
  service: ['orchestrator'],
  shell: ['bash', 'zsh', 'fish'],
  manager: ['systemd', 'supervisor'],
};

type Source = (client: Client, before: readonly string[]) => Promise<readonly Word[]>;

const SOURCES: Readonly<Record<string, Source | undefined>> = {
  async promotion(client) {
    const { items } = await client.call('listPromotions', { query: { limit: WORDS_MAX } });
    return items.map(({ id, release, environment, status }) => ({
      value: id,
      summary: `${release.name} to ${environment}, ${status}`,
    }));
  },
  async release(client) {
    const { items } = await client.call('listReleases', { query: { limit: WORDS_MAX } });
    return items.map(({ name }) => ({ value: name, summary: '' }));
  },
  async environment(client) {
    const { items } = await client.call('listEnvironments');
    return items.map(({ name }) => ({ value: name, summary: '' }));
  },
  async gate(client, [promotion]) {
    if (promotion === undefined) return [];
    const { items } = await client.call('listGateRuns', { parameters: { promotion } });
    return [...new Set(items.map(({ gate }) => gate))].map((value) => ({ value, summary: '' }));
  },
  async channel(client) {
    const { items } = await client.call('listChannels');
    return items.map(({ name, where }) => ({ value: name, summary: where }));
  },
  async delivery(client) {
    const { items } = await client.call('listDeliveries', { query: { limit: WORDS_MAX } });
    return items.map(({ id, summary }) => ({ value: id, summary }));
  },
  async lock(client) {
    const { items } = await client.call('listLocks');
    return items.map(({ id, resource }) => ({ value: id, summary: resource }));
  },
  async key(client) {
    const { items } = await client.call('listSettings');
    return items.map(({ key, purpose }) => ({ value: key, summary: purpose }));
  },
};
