/** `stella service status` */
import type { CommandSpec } from '../../command.ts';
import { reportView } from './report-view.ts';
import { DATA_DIR_OPTION, openThisMachine, SERVICE_POSITIONALS } from './this-machine.ts';

export const serviceStatus: CommandSpec = {
  path: ['service', 'status'],
  summary: 'Whether the orchestrator of this machine runs and is ready, and why not',
  kind: 'read',
  positionals: SERVICE_POSITIONALS,
  options: [DATA_DIR_OPTION],
  async run(context, input) {
    const { readReport } = await import('@stella/server/service');
    const { deps, dataDir } = await openThisMachine(context, input);
    context.show(reportView(await readReport(deps, dataDir)));
    return undefined;
  },
};
