/** `GET /promotions/{promotion}/log`: what every replica wrote to the database, and the log lines of this process. */
import type { Attempt } from '@stella/domain';
import { formatActor, toRfc3339 } from '@stella/domain';
import type { RecordedEvent } from '../../ports/read-store.ts';
import { readVisiblePromotion } from '../read-visible-promotion.ts';
import type { HttpDeps, RouteHandler } from '../route-handler.ts';

/** Newest events that are told. */
const EVENTS_MAX = 5_000;

interface Line {
  readonly atMs: number;
  readonly source: 'event' | 'attempt' | 'log';
  readonly message: string;
}

export const getPromotionLog: RouteHandler<'getPromotionLog'> = async (deps, { caller, parameters, query }) => {
  const { snapshot } = await readVisiblePromotion(deps.reads, caller, parameters.promotion);
  const { id } = snapshot.promotion;
  const { gate } = query;
  const runIds = new Set<string>(snapshot.gateRuns.filter((run) => run.gate === gate).map((run) => run.id));
  const events = await deps.reads.readPromotionEvents(id, 0, EVENTS_MAX);
  const attempts = snapshot.attempts.filter(
    (one) => gate === undefined || (one.gateRunId !== null && runIds.has(one.gateRunId)),
  );
  const isAsked = ({ subject }: RecordedEvent): boolean =>
    gate === undefined || subject === gate || runIds.has(subject);
  const lines: Line[] = [
    ...events.filter(isAsked).map(eventLine),
    ...attempts.flatMap(attemptLines),
    ...deps.logRing
      .linesOf(id)
      .map(({ atMs, level, text }): Line => ({ atMs, source: 'log', message: `${level} ${text}` })),
  ];
  return {
    promotionId: id,
    covers: coversOf(deps),
    items: lines
      .sort((a, b) => a.atMs - b.atMs)
      .map(({ atMs, source, message }) => ({ at: toRfc3339(atMs), source, message })),
  };
};

function coversOf({ logRing }: HttpDeps): string[] {
  return [
    'attempts and events: of all orchestrators, from the database',
    `log lines: of the process that answers only, since ${toRfc3339(logRing.sinceMs)}`,
  ];
}

function eventLine({ atMs, type, subject, actor, data }: RecordedEvent): Line {
  return { atMs, source: 'event', message: `${type} ${subject} by ${formatActor(actor)} ${JSON.stringify(data)}` };
}

function attemptLines({ subject, purpose, number, startedAtMs, result, operationId }: Attempt): Line[] {
  const name = `${purpose} ${subject} attempt ${number} (${operationId})`;
  const begun: Line = { atMs: startedAtMs, source: 'attempt', message: `${name} began` };
  if (result === null) return [begun];
  const code = result.code === '' ? '' : ` ${result.code}`;
  const took = `${result.endedAtMs - startedAtMs}ms`;
  const message = `${name} ${result.outcome}${code} after ${took}: ${result.message}`;
  return [begun, { atMs: result.endedAtMs, source: 'attempt', message }];
}
