/** Canaries: what judges them, while one of two targets already runs the new release. */
import type { Drill } from '../drill.ts';
import { answerWith, type PeerModes, SILENCE, WELL } from '../place.ts';
import type { EnvironmentDraft, World } from '../world.ts';

/** The shortest that is allowed: it is asked at least once, and once more at the end. */
const SOAK = '1s';
const TIMEOUT = '2s';
const ERROR_RATE_MAX = 0.01;

/** The first target goes first; the judge is a query of metrics, as of any system that answers with a number. */
function canary({ judgeUrl }: World): EnvironmentDraft {
  const value = { pointer: '/errorRate', max: ERROR_RATE_MAX };
  const judge = { url: judgeUrl, timeout: TIMEOUT, interval: '1s', value };
  return { twins: ['other'], more: { strategy: { kind: 'canary', targets: ['app'], soak: SOAK, judge } } };
}

/** There is something to bring back: what ran before that was judged well. */
function judgeDrill(cause: Drill['cause'], fault: string, broken: Partial<PeerModes>): Drill {
  return {
    cause,
    fault,
    async inject(world) {
      await world.apply(canary(world));
      await world.untilCompleted(await world.promote(await world.release('1')));
      world.behave(broken);
      return world.promote(await world.release('2'));
    },
    repair: async (world) => world.behave(WELL),
  };
}

export const CANARY_DRILLS: readonly Drill[] = [
  judgeDrill('canary.failed', 'the first of two targets makes more errors than its judge allows', {
    judge: answerWith(200, '{"errorRate":0.4}'),
  }),
  judgeDrill('canary.unanswered', 'who judges the first of two targets gives no answer', { judge: SILENCE }),
];
