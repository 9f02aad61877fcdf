/** Errors → problem+json (RFC 9457): code, what, why, and the next step as a command where there is one. */
import { AppError, HTTP_STATUS_BY_KIND, isAppError } from '@stella/domain';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly next: readonly { readonly title: string; readonly command: string | null }[];
  readonly requestId: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function toProblem(error: unknown, requestId: string): Problem {
  const known = toAppError(error, requestId);
  const status = known.code === 'input.body_too_large' ? 413 : HTTP_STATUS_BY_KIND[known.kind];
  return {
    type: `urn:stella:error:${known.code}`,
    title: known.kind,
    status,
    detail: known.message,
    code: known.code,
    next: [{ title: known.hint, command: commandIn(known.hint) }],
    requestId,
    details: known.details,
  };
}

/** What Fastify itself throws, in our words; anything else is our own fault and says nothing of its inside. */
export function toAppError(error: unknown, requestId: string): AppError {
  if (isAppError(error)) return error;
  const { code, statusCode, message } = describe(error);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new AppError('input.body_too_large', { details: { bytesMax: BODY_BYTES_MAX }, cause: error });
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' || code === 'FST_ERR_CTP_EMPTY_JSON_BODY') {
    return new AppError('input.json', { details: { message }, cause: error });
  }
  if (error instanceof SyntaxError || code === 'FST_ERR_CTP_INVALID_JSON_BODY') {
    return new AppError('input.json', { details: { message }, cause: error });
  }
  if (statusCode >= 400 && statusCode < 500)
    return new AppError('input.invalid', { details: { message }, cause: error });
  return new AppError('internal', {
    details: { message: `see the server's log for request ${requestId}` },
    cause: error,
  });
}

/** Bodies are small: the largest is an apply of many files. */
export const BODY_BYTES_MAX = 4 * 1_048_576;

/** `list them: stella lock list` → `stella lock list`; null when the hint names no command. */
function commandIn(hint: string): string | null {
  return /\bstella [a-z][^;,]*/.exec(hint)?.[0].trim() ?? null;
}

function describe(error: unknown): { code: string; statusCode: number; message: string } {
  if (!(error instanceof Error)) return { code: '', statusCode: 500, message: String(error) };
  // Fastify's and Node's errors have these; each is checked.
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  return {
    code: typeof code === 'string' ? code : '',
    statusCode: typeof statusCode === 'number' ? statusCode : 500,
    message: error.message,
  };
}
