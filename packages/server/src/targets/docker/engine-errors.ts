/** What an engine says → errors of targets. It has few status codes, so that its words are read where they must be. */
import { AppError } from '@stella/domain';
import { EngineFailure } from '../../ports/docker-engine.ts';
import { toTargetError } from '../target-errors.ts';

const FULL = /no space left on device|disk quota exceeded/i;
const REFUSED =
  /unauthorized|no basic auth credentials|authentication required|access denied|access forbidden|\bdenied\b/i;
const MISSING = /manifest unknown|manifest for .* not found|not found|name unknown/i;
const UNFIT = /unsupported|no matching manifest|invalid (?:manifest|rootfs)|does not match|unknown media/i;
/** What `docker system dial-stdio` writes when it may not use the socket. */
const NOT_ALLOWED = /permission denied/i;
/** What a shell says, or we ourselves, of a host without Docker. */
const NO_PROGRAM = /\bdocker: (?:(?:command )?not found|cannot be started \(ENOENT\))/;
const MESSAGE_LENGTH_MAX = 500;

/** Of anything but a pull. `stderr`: of the program that carried the stream. */
export function toEngineError(error: unknown, target: string, stderr = ''): AppError {
  if (!(error instanceof EngineFailure)) return toTargetError(error, target);
  const message = short(error.message);
  if (FULL.test(message)) return new AppError('target.disk_full', { details: { target, message }, cause: error });
  if (error.status !== null)
    return new AppError('target.engine_refused', { details: { target, message }, cause: error });
  if (NO_PROGRAM.test(stderr)) {
    return new AppError('target.program_missing', { details: { target, message: short(stderr) }, cause: error });
  }
  const code = NOT_ALLOWED.test(stderr) ? 'target.denied' : 'target.engine_down';
  return new AppError(code, { details: { target, message: short(stderr) || message }, cause: error });
}

/** Of a pull: mostly it is the registry that said no. */
export function toPullError(
  error: unknown,
  { target, repository, digest, registry }: Readonly<Record<'target' | 'repository' | 'digest' | 'registry', string>>,
): AppError {
  if (!(error instanceof EngineFailure) || error.status === null || FULL.test(error.message)) {
    return toEngineError(error, target);
  }
  const message = short(error.message);
  const details = { digest, repository, registry, message };
  if (REFUSED.test(message)) return new AppError('registry.denied', { details, cause: error });
  if (UNFIT.test(message)) return new AppError('registry.bad_manifest', { details, cause: error });
  if (MISSING.test(message)) return new AppError('registry.artifact_missing', { details, cause: error });
  return new AppError('registry.unreachable', { details, cause: error });
}

function short(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, MESSAGE_LENGTH_MAX);
}
