/** `stella service stop` */
import type { CommandSpec } from '../../command.ts';
import { doneView, reportView } from './report-view.ts';
import { DATA_DIR_OPTION, openThisMachine, SERVICE_POSITIONALS } from './this-machine.ts';

export const serviceStop: CommandSpec = {
  path: ['service', 'stop'],
  summary: 'Stop the orchestrator of this machine, with its PostgreSQL',
  kind: 'write',
  positionals: SERVICE_POSITIONALS,
  options: [DATA_DIR_OPTION],
  async run(context, input) {
    const service = await import('@stella/server/service');
    const { deps, dataDir, readyWithinMs } = await openThisMachine(context, input);
    const { manager } = await service.chooseManager(deps, dataDir, null);
    if (context.globals.isDryRun) {
      context.show(reportView(await service.refuseForeign(deps, dataDir)));
      return undefined;
    }
    context.show(doneView('stopped', await service.stopService(deps, { dataDir, manager, readyWithinMs })));
    return undefined;
  },
};
