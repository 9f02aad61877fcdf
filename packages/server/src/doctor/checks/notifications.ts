/** Whether people hear of promotions by every channel. */
import { formatDuration } from '@stella/domain';
import type { ChannelHealth } from '../../ports/notification-store.ts';
import { type Check, type CheckFact, type CheckFinding, passed } from '../check.ts';

/** A notice that waits for longer comes too late to be of use at night. */
const OLDEST_MS_FAIL = 15 * 60_000;

export const notifications: Check = {
  id: 'check.orchestrator.notifications',
  title: 'People are told',
  why: 'an approval that nobody hears of waits until its deadline, and a stall is found by chance',
  async look({ notifications: reads, clock }) {
    return judge(await reads.listChannels(), clock.nowMs());
  },
};

function judge(channels: readonly ChannelHealth[], nowMs: number): CheckFinding {
  if (channels.length === 0) {
    return { status: 'skip', message: 'no channel is declared', facts: [], remedy: null };
  }
  const ill = channels.filter(({ failingCount, deadCount }) => failingCount > 0 || deadCount > 0);
  const late = channels.filter((one) => waitedMs(one, nowMs) > OLDEST_MS_FAIL);
  const [worst] = [...late, ...ill];
  if (!worst)
    return passed(`${channels.length} ${channels.length === 1 ? 'channel' : 'channels'}, and each notice was taken`);
  const { name } = worst.definition;
  const isDeadOnly = worst.pendingCount === 0;
  return {
    status: late.length > 0 ? 'fail' : 'warn',
    message: `channel ${name} ${isDeadOnly ? 'lost notices' : 'does not take its notices'}`,
    facts: [...new Set([...late, ...ill])].map((one) => describe(one, nowMs)),
    remedy: isDeadOnly
      ? { text: 'see what nobody heard of, and try it again', command: `stella notify deliveries --failed` }
      : { text: 'see what its receiver says now', command: `stella notify test ${name}` },
  };
}

function waitedMs({ oldestPendingAtMs }: ChannelHealth, nowMs: number): number {
  return oldestPendingAtMs === null ? 0 : Math.max(0, nowMs - oldestPendingAtMs);
}

function describe(channel: ChannelHealth, nowMs: number): CheckFact {
  const { definition, pendingCount, deadCount, lastFailure } = channel;
  const oldest = pendingCount === 0 ? '' : `, the oldest for ${formatDuration(wholeSeconds(waitedMs(channel, nowMs)))}`;
  const said = lastFailure === '' ? '' : `: ${lastFailure}`;
  return { what: definition.name, value: `${pendingCount} wait${oldest}, ${deadCount} given up${said}` };
}

function wholeSeconds(durationMs: number): number {
  return Math.floor(durationMs / 1_000) * 1_000;
}
