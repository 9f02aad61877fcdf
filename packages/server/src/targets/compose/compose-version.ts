/** Which Compose a host has: whether there is one is seen only by running it. */
import { AppError } from '@stella/domain';
import type { TargetHost } from '../../ports/target-host.ts';
import type { CallScope } from '../call-scope.ts';
import { versionArgv } from './compose-script.ts';

/** The older one is in Python, and takes some seconds to start on a busy host. */
const VERSION_TIMEOUT_MS = 20_000;
const OUTPUT_BYTES_MAX = 10_000;

/** `2.29.1`. Throws `target.program_missing` when neither answers, `target.interrupted` when that could not be told in time. */
export async function readComposeVersion(
  { host, target }: { readonly host: Pick<TargetHost, 'run'>; readonly target: string },
  { signal, timeoutMs }: Pick<CallScope, 'signal' | 'timeoutMs'>,
): Promise<string> {
  const { exitCode, stdout, stderr } = await host.run(versionArgv(), {
    timeoutMs: Math.min(VERSION_TIMEOUT_MS, timeoutMs),
    signal,
    outputBytesMax: OUTPUT_BYTES_MAX,
  });
  if (exitCode === 0) return oneLine(stdout);
  if (exitCode === null || exitCode === TIMED_OUT) {
    const message = 'Compose did not say its version in time';
    throw new AppError('target.interrupted', { details: { target, message } });
  }
  const message = `neither "docker compose" nor "docker-compose" answers: ${oneLine(stderr)}`;
  throw new AppError('target.program_missing', { details: { target, message } });
}

/** Of timeout(1), which ends it on its host. */
const TIMED_OUT = 124;

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
