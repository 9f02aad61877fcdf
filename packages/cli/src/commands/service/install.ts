/** `stella service install` */
import type { Installed } from '@stella/server/service';
import type { CommandSpec } from '../../command.ts';
import { textOption } from '../../input.ts';
import { textView } from '../../view.ts';
import { DATA_DIR_OPTION, MANAGER_OPTION, openThisMachine, SERVICE_POSITIONALS } from './this-machine.ts';

export const serviceInstall: CommandSpec = {
  path: ['service', 'install'],
  summary: 'Write down how the orchestrator is started on this machine; with systemd, its unit',
  kind: 'write',
  positionals: SERVICE_POSITIONALS,
  options: [
    DATA_DIR_OPTION,
    MANAGER_OPTION,
    { flags: '--user <name>', summary: 'with systemd: who it runs as, instead of root' },
  ],
  examples: [
    'stella service install orchestrator',
    'STELLA_TARGET_DIRECTORIES=/srv/web stella service install orchestrator --user stella',
  ],
  async run(context, input) {
    const { chooseManager, installLocally } = await import('@stella/server/service');
    const { deps, dataDir, wantedManager } = await openThisMachine(context, input);
    const { manager } = await chooseManager(deps, dataDir, wantedManager);
    const installed = await installLocally(deps, {
      dataDir,
      manager,
      user: textOption(input.options, 'user') ?? null,
      env: context.env,
      isDryRun: context.globals.isDryRun,
    });
    context.show(
      textView({
        name: 'orchestrator',
        data: { service: 'orchestrator', dataDir, ...installed, dryRun: context.globals.isDryRun },
        text: () => describe(installed, dataDir, context.globals.isDryRun),
      }),
    );
    return undefined;
  },
};

function describe(installed: Installed, dataDir: string, isDryRun: boolean): string {
  const { manager, variables, environmentFile, droppedVariables, unkeptSecrets, secretsFile, unitFile, unit } =
    installed;
  const verb = isDryRun ? 'would be installed' : 'installed';
  return [
    `orchestrator of ${dataDir} ${verb}, managed by ${manager === 'systemd' ? 'systemd' : 'a supervisor of its own'}`,
    `variables   ${variables.join(', ') || 'none'}, in ${environmentFile}`,
    ...(droppedVariables.length === 0 ? [] : [`no longer   ${droppedVariables.join(', ')}: not set now`]),
    ...(unkeptSecrets.length === 0
      ? []
      : [`not kept    ${unkeptSecrets.join(', ')}: the service gets it from ${secretsFile}, which you write`]),
    ...(unitFile === null ? [] : [`unit        ${unitFile}`]),
    ...(isDryRun && unit !== null ? ['', unit.trimEnd()] : []),
    ...(isDryRun ? [] : ['next        stella service start orchestrator']),
  ].join('\n');
}
