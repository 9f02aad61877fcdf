/** A setting as a path names it; one of a gate or a quota only when some environment has it. */
import {
  type AnySettingKey,
  AppError,
  hasAttempts,
  nearestOf,
  partsOfGateKey,
  partsOfQuotaKey,
  settingKeyOf,
} from '@stella/domain';
import type { ReadStore } from '../ports/read-store.ts';

/** Errors: `setting.not_found`, `environment.not_found`, each with the nearest. */
export async function findSettingKey(reads: ReadStore, text: string): Promise<AnySettingKey> {
  const key = settingKeyOf(text);
  const quota = partsOfQuotaKey(key);
  // Known or refused; a limit may be set where the definition has none.
  if (quota) return reads.readEnvironment(quota.environment).then(() => key);
  const parts = partsOfGateKey(key);
  if (parts === null) return key;
  const environments =
    parts.environment === null ? await reads.listEnvironments() : [await reads.readEnvironment(parts.environment)];
  const gates = environments.flatMap(({ definition }) => definition.gates).filter(hasAttempts);
  if (gates.some((gate) => gate.name === parts.gate)) return key;
  const nearest = nearestOf(parts.gate, [...new Set(gates.map((gate) => gate.name))]);
  const hint =
    nearest === null ? {} : { hint: `did you mean "${key.replace(`gates.${parts.gate}.`, `gates.${nearest}.`)}"?` };
  throw new AppError('setting.not_found', { details: { name: text, nearest }, ...hint });
}
