/** `stella service start` */
import type { CommandSpec } from '../../command.ts';
import { doneView, reportView } from './report-view.ts';
import { DATA_DIR_OPTION, MANAGER_OPTION, openThisMachine, SERVICE_POSITIONALS, WAIT_OPTION } from './this-machine.ts';

export const serviceStart: CommandSpec = {
  path: ['service', 'start'],
  summary: 'Start the orchestrator of this machine, and wait until it is ready',
  kind: 'write',
  positionals: SERVICE_POSITIONALS,
  options: [DATA_DIR_OPTION, MANAGER_OPTION, WAIT_OPTION],
  async run(context, input) {
    const service = await import('@stella/server/service');
    const { deps, dataDir, wantedManager, readyWithinMs } = await openThisMachine(context, input);
    const { manager, isInstalled } = await service.chooseManager(deps, dataDir, wantedManager);
    if (context.globals.isDryRun) {
      context.show(reportView(await service.readReport(deps, dataDir)));
      return undefined;
    }
    if (isInstalled) {
      const unused = await service.unusedVariables(deps, dataDir, context.env);
      if (unused.length > 0) {
        deps.tell(`not used, because it was installed without: ${unused.join(', ')}`);
        deps.tell('to take them over: stella service install orchestrator, then restart');
      }
    } else {
      const order = { dataDir, manager, user: null, env: context.env, isDryRun: false };
      deps.tell(`installed with its variables in ${(await service.installLocally(deps, order)).environmentFile}`);
    }
    context.show(doneView('started', await service.startService(deps, { dataDir, manager, readyWithinMs })));
    return undefined;
  },
};
