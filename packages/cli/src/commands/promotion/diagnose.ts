/** `stella promotion diagnose <promotion>` */
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { diagnosisView } from './diagnosis-view.ts';

export const promotionDiagnose: CommandSpec = {
  path: ['promotion', 'diagnose'],
  summary: 'Why a promotion does not go on, on which facts that rests, and what cures it',
  kind: 'read',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  examples: ['stella promotion diagnose prm_01jd', 'stella promotion diagnose prm_01jd -o json'],
  async run({ connect, show }, { positionals }) {
    const { client } = await connect();
    const parameters = { promotion: positional(positionals, 0) };
    show(diagnosisView(await client.call('diagnosePromotion', { parameters })));
    return undefined;
  },
};
