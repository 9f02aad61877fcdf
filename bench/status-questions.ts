/** What is asked of a server whose database is large, each time about another promotion, environment or release. */
import type { Client } from '@stella/contract/client';
import type { Client as Database } from 'pg';

export interface Subjects {
  readonly hanging: readonly string[];
  readonly ended: readonly string[];
  readonly environments: readonly string[];
  readonly releases: readonly string[];
}

/** So many of each, from everywhere in the table. */
const SUBJECTS = 200;

export async function readSubjects(database: Database): Promise<Subjects> {
  const read = async (query: string): Promise<readonly string[]> =>
    (await database.query<{ name: string }>(query)).rows.map((row) => row.name);
  const spread = (table: string, column: string, where: string): string =>
    `select ${column} as name from (select ${column}, row_number() over (order by id) as place, count(*) over () as total
       from ${table} where ${where}) t
     where (place - 1) % greatest(1, total / ${SUBJECTS}) = 0 order by place limit ${SUBJECTS}`;
  return {
    hanging: await read(spread('promotions', 'id', 'ended_at is null')),
    ended: await read(spread('promotions', 'id', 'ended_at is not null')),
    environments: await read("select name from environments where name like 'place-%' order by name"),
    releases: await read(spread('releases', 'name', "name like 'release-%'")),
  };
}

export interface Question {
  readonly what: string;
  /** Asked in every round, or only in each fifth: those that look at everything. */
  readonly isRare: boolean;
  ask(server: Asked, round: number): Promise<unknown>;
}

export interface Asked {
  readonly url: string;
  readonly client: Client;
  readonly subjects: Subjects;
}

function pick(values: readonly string[], round: number): string {
  // Neighbours are asked for in different rounds.
  return values[(round * 37) % values.length] ?? '';
}

/** As the server makes it of a page's last row. */
function cursorAt(id: string): string {
  return Buffer.from(id).toString('base64url');
}

function list(what: string, query: (subjects: Subjects, round: number) => Record<string, string>): Question {
  return {
    what: `list ${what}`.trim(),
    isRare: false,
    ask: ({ client, subjects }, round) => client.call('listPromotions', { query: query(subjects, round) }),
  };
}

export const QUESTIONS: readonly Question[] = [
  {
    what: 'status',
    isRare: false,
    ask: ({ client, subjects }, round) =>
      client.call('getPromotion', { parameters: { promotion: pick(subjects.hanging, round) } }),
  },
  {
    what: 'status of an ended one',
    isRare: false,
    ask: ({ client, subjects }, round) =>
      client.call('getPromotion', { parameters: { promotion: pick(subjects.ended, round) } }),
  },
  {
    what: 'diagnose',
    isRare: false,
    ask: ({ client, subjects }, round) =>
      client.call('diagnosePromotion', { parameters: { promotion: pick(subjects.hanging, round) } }),
  },
  list('', () => ({})),
  list('--status in_progress', () => ({ status: 'in_progress' })),
  list('--status completed', () => ({ status: 'completed' })),
  list('--status failed', () => ({ status: 'failed' })),
  list('--status in_progress,rejected', () => ({ status: 'in_progress,rejected' })),
  list('--env', ({ environments }, round) => ({ environment: pick(environments, round) })),
  list('--env --status cancelled', ({ environments }, round) => ({
    environment: pick(environments, round),
    status: 'cancelled',
  })),
  list('--env --status failed', ({ environments }, round) => ({
    environment: pick(environments, round),
    status: 'failed',
  })),
  list('--release', ({ releases }, round) => ({ release: pick(releases, round) })),
  list('--older-than 5m', () => ({ olderThan: '5m' })),
  list('--older-than 2h', () => ({ olderThan: '2h' })),
  list('--last 1h', () => ({ last: '1h' })),
  list('--last 1m', () => ({ last: '1m' })),
  list('deep in', ({ ended }, round) => ({ cursor: cursorAt(pick(ended, round)) })),
  list('--env deep in', ({ ended, environments }, round) => ({
    environment: pick(environments, round),
    cursor: cursorAt(pick(ended, round)),
  })),
  list('--status cancelled deep in', ({ ended }, round) => ({
    status: 'cancelled',
    cursor: cursorAt(pick(ended, round)),
  })),
  {
    what: 'list --count --status in_progress',
    isRare: false,
    ask: ({ client }) => client.call('countPromotions', { query: { status: 'in_progress' } }),
  },
  { what: 'orch status', isRare: false, ask: ({ client }) => client.call('getOrchestrator') },
  { what: 'orch locks list', isRare: false, ask: ({ client }) => client.call('listLocks', { query: {} }) },
  {
    what: 'orch gate stats',
    isRare: true,
    ask: ({ client }) => client.call('getGateStats', { parameters: { gate: 'tests' }, query: { last: '24h' } }),
  },
  {
    what: 'metrics',
    isRare: true,
    ask: async ({ url }) => {
      const answer = await fetch(new URL('/metrics', url));
      if (!answer.ok) throw new Error(`/metrics answered ${answer.status}`);
      return answer.text();
    },
  },
  ...['job-health', 'gate-timeout', 'invariants', 'workers', 'locks'].map((check) => ({
    what: `doctor ${check}`,
    isRare: true,
    ask: ({ client }: Asked) =>
      client.call('runDoctor', { query: { check: `check.orchestrator.${check}`, timeout: '30s' } }),
  })),
];
