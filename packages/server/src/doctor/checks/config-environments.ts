/** Definitions that lead nowhere: unknown neighbours, gates that nobody may pass, places that this server may not reach. */
import { isIP } from 'node:net';
import {
  type TargetDefinition,
  type ApprovalGateDefinition,
  budgetWarnings,
  directoryOf,
  type EnvironmentDefinition,
  environmentBudgetOf,
  hostOf,
  isAllowed,
  isOverNetwork,
  requirementsOf,
  type Settings,
} from '@stella/domain';
import { readSettingsNow } from '../../ports/settings-now.ts';
import type { DoctorDeps } from '../check.ts';
import type { ConfigFlaw, Configured } from './config-flaw.ts';

const APPLY = 'stella apply -f <file> --dry-run';

export async function findEnvironmentFlaws(configured: Configured, deps: DoctorDeps): Promise<readonly ConfigFlaw[]> {
  const settings = await readSettingsNow(deps);
  const found: ConfigFlaw[] = [];
  for (const definition of configured.definitions) {
    found.push(
      ...strangers(definition, configured),
      ...approvalFlaws(definition, configured),
      ...(await outOfReach(definition, deps)),
      ...overObjective(definition, settings),
    );
  }
  return found;
}

function strangers(definition: EnvironmentDefinition, { definitions }: Configured): readonly ConfigFlaw[] {
  const wanted = [...definition.promotesFrom, ...requirementsOf(definition).map(({ environment }) => environment)];
  const unknown = [...new Set(wanted)].filter((name) => !definitions.some((one) => one.name === name));
  return unknown.map((name) => ({
    status: 'fail',
    fact: { what: definition.name, value: `waits for the environment ${name}, which is not there` },
    remedy: { text: `apply ${name}, or take it out of ${definition.name}`, command: APPLY },
  }));
}

/** What would be `gate.no_approver` for the next promotion. */
function approvalFlaws({ name, gates }: EnvironmentDefinition, { approvers }: Configured): readonly ConfigFlaw[] {
  if (approvers === null) return [];
  const entitledTo = ({ group }: ApprovalGateDefinition): readonly string[] =>
    approvers
      .filter(
        ({ subject, bindings }) => (group?.includes(subject) ?? true) && isAllowed(bindings, 'promotion.approve', name),
      )
      .map(({ subject }) => subject);
  return gates.flatMap((gate): readonly ConfigFlaw[] => {
    if (gate.kind !== 'approval') return [];
    const entitled = entitledTo(gate);
    const what = `${name}/${gate.name}`;
    const role = `approver@${name}`;
    const command = `stella auth person create SUBJECT --role ${role}`;
    if (entitled.length >= gate.count) return [];
    const people = entitled.length === 0 ? 'nobody' : `only ${entitled.join(', ')}`;
    const value = `wants ${gate.count} of ${gate.group === null ? 'the approvers' : 'its group'}, and ${people} may decide`;
    const text = gate.group === null ? `let more people have the role ${role}` : `let its group have the role ${role}`;
    return [{ status: 'fail', fact: { what, value }, remedy: { text, command } }];
  });
}

/** By what this server was started with; names are looked up only where a connection is made. */
async function outOfReach(definition: EnvironmentDefinition, { reach }: DoctorDeps): Promise<readonly ConfigFlaw[]> {
  if (reach === null) return [];
  const { name, targets } = definition;
  const found = addressesOf(definition).flatMap(({ what, address }): readonly ConfigFlaw[] => {
    if (isIP(address) === 0 || reach.coversAddress(address)) return [];
    const value = `${address} is in none of the ranges that may be reached`;
    const text = 'add its range to STELLA_OUTGOING_ALLOW, then restart';
    return [{ status: 'fail', fact: { what, value }, remedy: { text, command: RESTART } }];
  });
  for (const target of targets) {
    if (await reach.coversTarget(target)) continue;
    const { value, text } = wayTo(target);
    const fact = { what: `${name}/${target.name}`, value };
    found.push({ status: 'fail', fact, remedy: { text, command: RESTART } });
  }
  return found;
}

/** All that this server connects to on behalf of the environment. */
function addressesOf({
  name,
  gates,
  strategy,
  targets,
}: EnvironmentDefinition): readonly { readonly what: string; readonly address: string }[] {
  const judged = strategy?.kind === 'canary' ? [{ what: `${name}/judge`, address: addressIn(strategy.judge) }] : [];
  return [
    ...gates.flatMap((gate) =>
      gate.kind === 'http' ? [{ what: `${name}/${gate.name}`, address: addressIn(gate) }] : [],
    ),
    ...judged,
    ...targets.flatMap((target) => {
      const { health } = target;
      const ssh = hostOf(target)?.ssh;
      const addresses = ssh === undefined ? [] : [ssh.address];
      if (isOverNetwork(health)) addresses.push(health.kind === 'tcp' ? health.address : addressIn(health));
      return addresses.map((address) => ({ what: `${name}/${target.name}`, address }));
    }),
  ];
}

function addressIn({ url }: { readonly url: string }): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

/** What is wrong with where a target is, and what helps. */
function wayTo(target: TargetDefinition): { readonly value: string; readonly text: string } {
  const directory = directoryOf(target);
  if ((target.kind === 'docker' || target.kind === 'compose') && directory === null) {
    const value = 'its engine is on this machine, and is not among the allowed ones';
    return { value, text: 'add its socket to STELLA_ENGINE_SOCKETS, then restart' };
  }
  const value = `${directory ?? ''} is below none of the directories that targets may write`;
  return { value, text: 'add one to STELLA_TARGET_DIRECTORIES, then restart' };
}

const RESTART = 'stella service restart orchestrator';

/** Gates over `stuck.after` are another check's; this is about the whole. */
function overObjective(definition: EnvironmentDefinition, settings: Settings): readonly ConfigFlaw[] {
  const whole = budgetWarnings(environmentBudgetOf(definition, settings)).find((warning) =>
    warning.startsWith('in all'),
  );
  if (whole === undefined) return [];
  const text = 'shorten its longest gate or its deployDeadline';
  return [
    {
      status: 'warn',
      fact: { what: definition.name, value: whole },
      remedy: { text, command: 'stella orch config list' },
    },
  ];
}
