/** A priority as a person types it. */
import { AppError, PRIORITIES, type Priority } from '@stella/domain/client';

/** Errors: `cli.usage`. */
export function parsePriority(text: string): Priority {
  const known = PRIORITIES.find((priority) => priority === text);
  if (known) return known;
  const message = `"${text}" is not a priority; expected ${PRIORITIES.join(', ')}`;
  throw new AppError('cli.usage', { details: { message } });
}
