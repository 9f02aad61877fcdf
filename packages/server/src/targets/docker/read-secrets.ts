/** Values of the secrets that containers of a target get as variables, read when they are needed and kept nowhere. */
import { AppError } from '@stella/domain';
import type { TargetDeps } from '../target-deps.ts';

/** `references`: by the name of the variable. Throws `target.secret_missing`, which names the variable and never a value. */
export async function readSecrets(
  { secrets }: Pick<TargetDeps, 'secrets'>,
  target: string,
  references: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const [variable, reference] of Object.entries(references)) {
    const reading = await secrets.readPassword(reference);
    if (!reading.isThere) {
      throw new AppError('target.secret_missing', { details: { target, message: `${variable}: ${reading.message}` } });
    }
    values[variable] = reading.password;
  }
  return values;
}
