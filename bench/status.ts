/**
 * What people ask about promotions, of servers with few and with very many of them, and what monitoring asks: at the API of a
 * real server, one request at a time. Every round asks each question of each server, so that a busy moment meets all alike.
 *
 * `npm run bench -- status --sizes 1000,1000000 --in-progress 1000 --rounds 100`
 */
import { parseArgs } from 'node:util';
import { adminClient } from '@stella/testkit';
import { note, percentile, type Row, rounded } from './report.ts';
import { type FilledPlace, makeFilledPlace } from './status-places.ts';
import { type Asked, QUESTIONS, type Question, readSubjects } from './status-questions.ts';

const WARM_ROUNDS = 10;
/** Of so many rounds one asks what looks at everything. */
const RARE_EVERY = 5;

export async function runStatusBench(args: readonly string[]): Promise<readonly Row[]> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      /** Promotions that have ended, of each server. */
      sizes: { type: 'string', default: '1000,1000000' },
      'in-progress': { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '100' },
    },
  });
  const places: FilledPlace[] = [];
  try {
    for (const size of values.sizes.split(',')) {
      places.push(await makeFilledPlace({ ended: Number(size), inProgress: Number(values['in-progress']) }));
    }
    return await measure(places, Number(values.rounds));
  } finally {
    for (const place of places) await place.remove();
  }
}

async function measure(places: readonly FilledPlace[], rounds: number): Promise<readonly Row[]> {
  const asked = await Promise.all(
    places.map(async ({ server, database }): Promise<Asked> => {
      const subjects = await readSubjects(database);
      return { url: server.url, client: adminClient(server), subjects };
    }),
  );
  const took = new Map<Question, readonly number[][]>(QUESTIONS.map((one) => [one, asked.map(() => [])]));
  for (let round = -WARM_ROUNDS; round < rounds; round += 1) {
    for (const question of QUESTIONS) {
      if (question.isRare && round % RARE_EVERY !== 0) continue;
      for (const [place, server] of asked.entries()) {
        const startMs = performance.now();
        await question.ask(server, round + WARM_ROUNDS);
        if (round >= 0) took.get(question)?.[place]?.push(performance.now() - startMs);
      }
    }
    if (round % 10 === 0) note(`round ${round} of ${rounds}`);
  }
  return QUESTIONS.flatMap((question) => {
    const perPlace = took.get(question) ?? [];
    const firstP95Ms = percentile(perPlace[0] ?? [], 0.95);
    return places.map(({ sizes, eventCount }, place): Row => {
      const ms = perPlace[place] ?? [];
      const p95Ms = percentile(ms, 0.95);
      return {
        bench: 'status',
        question: question.what,
        rows: sizes.ended,
        inProgress: sizes.inProgress,
        events: eventCount,
        p50Ms: rounded(percentile(ms, 0.5)),
        p95Ms: rounded(p95Ms),
        ratio: rounded(p95Ms / firstP95Ms),
      };
    });
  });
}
