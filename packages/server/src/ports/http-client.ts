/** Outgoing HTTP as the server sees it: every request has deadlines and limits; addresses are checked on connecting. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** `http:` or `https:`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** From the call to the last byte of the body. */
  readonly timeoutMs: number;
  /** A longer body ends the call with a failure `too_large`. */
  readonly responseBytesMax: number;
  readonly signal?: AbortSignal;
  /** Certificates in PEM that are believed beside the system's. */
  readonly ca?: string;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; several values joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends, fails and limits as the request says. Must be read to its end or cancelled (`return()` of its iterator). */
  readonly body: AsyncIterable<Uint8Array>;
}

export const HTTP_FAILURES = [
  'dns',
  'refused',
  'connect',
  'tls',
  'timeout',
  'reset',
  'too_large',
  'address_forbidden',
  'aborted',
  'protocol',
] as const;
export type HttpFailureKind = (typeof HTTP_FAILURES)[number];

/** Why no (whole) answer came. `message` is for people and holds no header or body. */
export class HttpFailure extends Error {
  readonly failure: HttpFailureKind;
  constructor(failure: HttpFailureKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'HttpFailure';
    this.failure = failure;
  }
}

/** Redirects are never followed: the status is handed to the caller. Throws `HttpFailure`. */
export interface HttpClient {
  request(request: HttpRequest): Promise<HttpResponse>;
}

/** The whole body as bytes, within the request's own limit. */
export async function readBody(response: HttpResponse): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
