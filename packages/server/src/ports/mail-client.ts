/** Outgoing mail as the server sees it: one message over one connection of its own, with a deadline for all of it. */
import type { MailTlsMode } from '@stella/domain';

export interface MailOrder {
  readonly host: string;
  readonly port: number;
  readonly tls: MailTlsMode;
  /** Null: without logging in. */
  readonly login: { readonly user: string; readonly password: string } | null;
  readonly from: string;
  readonly to: readonly string[];
  /** `<…@…>`: the same for each repeat of a message. */
  readonly messageId: string;
  readonly subject: string;
  /** Plain. */
  readonly text: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** It was not taken, or nobody knows. `message` is for people and holds no password. */
export class MailFailure extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MailFailure';
  }
}

export interface MailClient {
  /** Resolves with the server's words when it has taken the message for every recipient. Throws `MailFailure`. */
  send(order: MailOrder): Promise<string>;
}
