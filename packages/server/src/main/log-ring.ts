/** A logger that also keeps its newest lines about promotions, for `stella orch logs`; the lines themselves go on as ever. */
import { isAppError } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import type { LogFields, Logger } from '../ports/logger.ts';
import type { LogLine, LogRing } from '../ports/log-ring.ts';

/** A few hundred bytes each. */
const LINES_MAX = 5_000;
const TEXT_LENGTH_MAX = 500;

export function makeLogRing(
  inner: Logger,
  clock: Pick<Clock, 'nowMs'>,
  linesMax = LINES_MAX,
): { readonly logger: Logger; readonly ring: LogRing } {
  const lines: LogLine[] = [];
  const startedAtMs = clock.nowMs();
  let droppedUntilMs: number | null = null;
  const keep = (level: LogLine['level'], fields: LogFields, message: string): void => {
    const { promotionId } = fields;
    if (typeof promotionId !== 'string') return;
    lines.push({ atMs: clock.nowMs(), level, promotionId, text: textOf(fields, message) });
    if (lines.length > linesMax) droppedUntilMs = lines.shift()?.atMs ?? null;
  };
  const ring: LogRing = {
    linesOf: (id) => lines.filter((line) => line.promotionId === id),
    get sinceMs() {
      return droppedUntilMs ?? startedAtMs;
    },
  };
  return { logger: wrap(inner, {}, keep), ring };
}

type Keep = (level: LogLine['level'], fields: LogFields, message: string) => void;

function wrap(inner: Logger, given: LogFields, keep: Keep): Logger {
  const at = (level: LogLine['level']) => (fields: LogFields, message: string) => {
    keep(level, { ...given, ...fields }, message);
    inner[level](fields, message);
  };
  return {
    debug: (fields, message) => inner.debug(fields, message),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(inner.child(fields), { ...given, ...fields }, keep),
  };
}

/** Words and numbers only: what is an object may hold anything. */
function textOf({ promotionId: _known, error, ...fields }: LogFields, message: string): string {
  const told = Object.entries(fields).flatMap(([name, value]) =>
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [`${name}=${value}`] : [],
  );
  const failure = error === undefined ? [] : [`error=${isAppError(error) ? `${error.code}: ` : ''}${wordsOf(error)}`];
  return [message, ...told, ...failure].join(' ').slice(0, TEXT_LENGTH_MAX);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
