/** `stella service restart` */
import type { CommandSpec } from '../../command.ts';
import { doneView, reportView } from './report-view.ts';
import { DATA_DIR_OPTION, openThisMachine, SERVICE_POSITIONALS, WAIT_OPTION } from './this-machine.ts';

export const serviceRestart: CommandSpec = {
  path: ['service', 'restart'],
  summary: 'Drain the orchestrator and start it anew; its PostgreSQL and its promotions go on',
  kind: 'write',
  positionals: SERVICE_POSITIONALS,
  options: [DATA_DIR_OPTION, WAIT_OPTION],
  async run(context, input) {
    const service = await import('@stella/server/service');
    const { deps, dataDir, readyWithinMs } = await openThisMachine(context, input);
    const { manager } = await service.chooseManager(deps, dataDir, null);
    if (context.globals.isDryRun) {
      context.show(reportView(await service.refuseForeign(deps, dataDir)));
      return undefined;
    }
    context.show(doneView('restarted', await service.restartService(deps, { dataDir, manager, readyWithinMs })));
    return undefined;
  },
};
