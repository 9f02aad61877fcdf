/** Files that hold a secret: new ones only, readable by their owner alone. */
import { rmSync, writeFileSync } from 'node:fs';
import { AppError } from '@stella/domain/client';

/**
 * Makes the file, then asks for the secret and puts it in: a secret that cannot be kept is never made. When `ask` throws,
 * the file is removed again. Throws `cli.usage`, naming the option, when the file exists or cannot be written.
 */
export async function writeSecretFile<Answer>(
  { file, option }: { readonly file: string; readonly option: string },
  ask: () => Promise<Answer>,
  secretOf: (answer: Answer) => string,
): Promise<Answer> {
  makeNew(file, option);
  try {
    const answer = await ask();
    writeFileSync(file, `${secretOf(answer)}\n`, { mode: 0o600 });
    return answer;
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

function makeNew(file: string, option: string): void {
  try {
    writeFileSync(file, '', { mode: 0o600, flag: 'wx' });
  } catch (error) {
    // Node's own errors have a code.
    const { code } = error as NodeJS.ErrnoException;
    const message =
      code === 'EEXIST' ? `${file} exists already` : `${file} cannot be written (${code ?? 'unknown error'})`;
    throw new AppError('cli.usage', { details: { message }, hint: `name another with ${option}` });
  }
}
