/** Logs as JSON lines on stderr, by pino; stdout belongs to data. Secrets never get this far, and are cut here too. */
import { pino } from 'pino';
import { isAppError } from '@stella/domain';
import type { Logger } from '../ports/logger.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export function makePinoLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: serializeError },
      redact: ['token', 'secret', 'password', 'authorization', '*.token', '*.secret', '*.password', '*.authorization'],
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** Code and message for what we know, the stack for what we do not. */
function serializeError(error: unknown): unknown {
  if (isAppError(error)) return { code: error.code, message: error.message, cause: causeOf(error) };
  if (error instanceof Error) return { name: error.name, message: error.message, stack: error.stack };
  return { message: String(error) };
}

function causeOf({ cause }: Error): string | undefined {
  return cause instanceof Error ? cause.message : undefined;
}
