import type { PromotionId } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { Logger } from '../ports/logger.ts';
import { makeLogRing } from './log-ring.ts';

const ID = 'prm_1' as PromotionId;

function makeRecorder(): { logger: Logger; said: string[] } {
  const said: string[] = [];
  const say = (_fields: object, message: string): void => void said.push(message);
  const logger: Logger = { debug: say, info: say, warn: say, error: say, child: () => logger };
  return { logger, said };
}

describe('the ring of log lines', () => {
  it('keeps lines about promotions, also of children, and hands every line on', () => {
    const { logger: inner, said } = makeRecorder();
    const { logger, ring } = makeLogRing(inner, { nowMs: () => 7 });
    logger.info({ promotionId: ID, step: 'deploy', chain: {} }, 'promotion moved');
    logger.child({ promotionId: ID }).error({ error: new Error('no route') }, 'a tick failed');
    logger.warn({}, 'nobody in particular');
    logger.debug({ promotionId: ID }, 'too small');
    expect(ring.linesOf(ID).map(({ level, text }) => `${level} ${text}`)).toEqual([
      'info promotion moved step=deploy',
      'error a tick failed error=no route',
    ]);
    expect(said).toHaveLength(4);
  });

  it('forgets the oldest, and says how far back it reaches', () => {
    let nowMs = 1;
    const { logger, ring } = makeLogRing(makeRecorder().logger, { nowMs: () => nowMs }, 2);
    expect(ring.sinceMs).toBe(1);
    for (; nowMs <= 3; nowMs += 1) logger.info({ promotionId: ID }, `line ${nowMs}`);
    expect(ring.linesOf(ID).map(({ text }) => text)).toEqual(['line 2', 'line 3']);
    expect(ring.sinceMs).toBe(1);
  });
});
