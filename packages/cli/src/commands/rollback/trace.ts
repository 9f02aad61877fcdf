/** `stella rollback trace <promotion>`: what happened to a rollback, in order; of one that came by itself, from there on. */
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { traceView } from '../promotion/trace.ts';
import { refuseOthers } from './refuse-others.ts';

export const rollbackTrace: CommandSpec = {
  path: ['rollback', 'trace'],
  summary: 'Everything that happened to a rollback, in order',
  kind: 'read',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  examples: ['stella rollback trace prm_01jd --verbose'],
  async run({ connect, show, globals }, { positionals }) {
    const { client } = await connect();
    const parameters = { promotion: positional(positionals, 0) };
    const promotion = await client.call('getPromotion', { parameters });
    refuseOthers(promotion);
    const { items } = await client.call('tracePromotion', { parameters });
    const startedAt = promotion.steps.find((one) => one.step === 'rollback')?.startedAt ?? null;
    const since = promotion.kind === 'rollback' || startedAt === null ? '' : startedAt;
    const events = items.filter((one) => one.at >= since);
    const attempts = promotion.attempts.filter((one) => one.startedAt >= since);
    show(traceView({ promotion: { ...promotion, attempts }, events, isWhole: globals.isVerbose }));
    return undefined;
  },
};
