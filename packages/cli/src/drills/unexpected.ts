import { AppError } from '@stella/domain/client';

/** Of a drill that goes otherwise than it should. */
export function unexpected(message: string): AppError {
  return new AppError('drill.unexpected', { details: { message } });
}
