/** An error for people: what, why, what to try, and the request to name when asking for help. */
import { AppError, EXIT_CODE_BY_KIND } from '@stella/domain/client';
import { EXIT_CODES, type Terminal } from './command.ts';
import { makeHarmless } from './harmless.ts';

export function printError(terminal: Terminal, error: AppError, isVerbose: boolean): void {
  const lines = [`error: ${error.message}`];
  if (error.hint !== '') lines.push(`try: ${error.hint}`);
  const { requestId } = error.details;
  const id = typeof requestId === 'string' ? `, request ${requestId}` : '';
  lines.push(`code: ${error.code}${id}`);
  if (isVerbose && error.cause instanceof Error) lines.push(`cause: ${error.cause.message}`);
  terminal.err(`${lines.map(makeHarmless).join('\n')}\n`);
}

export function exitCodeOf(error: AppError): number {
  return EXIT_CODE_BY_KIND[error.kind] ?? EXIT_CODES.error;
}

/** What is not an `AppError` is our own fault. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new AppError('internal', { details: { message }, hint: 'report it, with what you did', cause: error });
}
