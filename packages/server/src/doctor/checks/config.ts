/**
 * Whether what was configured can work together: settings, definitions of environments, the people whom gates wait for,
 * what this server may reach, and who can read its secrets. What a look from outside tells is `check.network`.
 */
import { type EnvironmentDefinition, parseSecretReference } from '@stella/domain';
import { readSettingsNow } from '../../ports/settings-now.ts';
import { type Check, type CheckFact, type CheckFinding, type DoctorDeps, passed } from '../check.ts';
import type { ConfigFlaw } from './config-flaw.ts';
import { findEnvironmentFlaws } from './config-environments.ts';
import { findSettingFlaws, overrideFacts } from './config-settings.ts';

/** Flaws that are named one by one. */
const NAMED_MAX = 20;
/** Approvers that are read; with more, who may decide is not concluded from a part of them. */
const APPROVERS_MAX = 500;

export const config: Check = {
  id: 'check.config',
  title: 'What is configured works together',
  why: 'a mistake in it is found here, or at night by a promotion that waits for nobody',
  async look(deps) {
    const { reads } = deps;
    const definitions = (await reads.listEnvironments()).map(({ definition }) => definition);
    const changes = await reads.listSettings();
    const approvers = await reads.listApprovers(APPROVERS_MAX + 1);
    const configured = { definitions, changes, approvers: approvers.length > APPROVERS_MAX ? null : approvers };
    const flaws = [
      ...findSettingFlaws(configured),
      ...(await findEnvironmentFlaws(configured, deps)),
      ...(await findOpenSecrets(definitions, deps)),
    ];
    const facts = [
      { what: 'environments', value: String(definitions.length) },
      { what: 'settings above their defaults', value: String(changes.filter(({ value }) => value !== null).length) },
      ...overrideFacts(definitions, await readSettingsNow(deps)),
      ...(deps.reach === null ? [{ what: 'may reach', value: 'not known here: only the orchestrator knows it' }] : []),
    ];
    return judge(flaws, facts);
  },
};

function judge(flaws: readonly ConfigFlaw[], facts: readonly CheckFact[]): CheckFinding {
  const ordered = [
    ...flaws.filter(({ status }) => status === 'fail'),
    ...flaws.filter(({ status }) => status === 'warn'),
  ];
  const [worst] = ordered;
  if (!worst) return passed('settings, environments and people fit together', facts);
  const more = ordered.length === 1 ? '' : `, and ${ordered.length - 1} more`;
  return {
    status: worst.status,
    message: `${worst.fact.what}: ${worst.fact.value}${more}`,
    facts: [...ordered.slice(0, NAMED_MAX).map(({ fact }) => fact), ...facts],
    remedy: worst.remedy,
  };
}

/** References of definitions that lead to no key, and files with a secret that others on the machine can read. */
async function findOpenSecrets(
  definitions: readonly EnvironmentDefinition[],
  { fileSystem, secretFiles, secrets }: DoctorDeps,
): Promise<readonly ConfigFlaw[]> {
  const found: ConfigFlaw[] = [];
  const paths = [...secretFiles];
  for (const { what, reference } of secrets === null ? [] : definitions.flatMap(referencesOf)) {
    const reading = await secrets?.read(reference);
    if (reading?.isThere === false) {
      const text = `give the orchestrator what ${reference} names, then restart it`;
      const remedy = { text, command: 'stella service restart orchestrator' };
      found.push({ status: 'fail', fact: { what, value: `its secret is missing: ${reading.message}` }, remedy });
    }
    const place = parseSecretReference(reference);
    if (place?.kind === 'file') paths.push(place.path);
  }
  for (const path of paths) {
    const mode = await fileSystem.stat(path).then(
      (status) => status.mode & 0o777,
      // One that is not there can be read by nobody.
      () => 0,
    );
    if ((mode & 0o077) === 0) continue;
    found.push({
      status: 'fail',
      fact: { what: path, value: `can be read by others, mode ${mode.toString(8)}` },
      remedy: { text: 'close it, and replace what was in it', command: `chmod 600 '${path}'` },
    });
  }
  return found;
}

function referencesOf({ name, gates }: EnvironmentDefinition): readonly { what: string; reference: string }[] {
  return gates.flatMap((gate) =>
    gate.kind === 'http' && gate.callback ? [{ what: `${name}/${gate.name}`, reference: gate.callback.secret }] : [],
  );
}
