/** One look at an address, in stages: name, connection, TLS, one harmless request. Through the ranges of all outgoing calls. */
import type { ProbeStage } from '@stella/domain';

export interface NetworkLookOrder {
  /** `http:` or `https:`. */
  readonly url: string;
  /** Both are harmless by RFC 9110, section 9.2.1. */
  readonly method: 'HEAD' | 'GET';
  readonly headers?: Readonly<Record<string, string>>;
  /** Of each stage. */
  readonly stageTimeoutMs: number;
  readonly signal: AbortSignal;
  /** Certificates in PEM that are believed beside the system's. */
  readonly ca?: string;
}

export interface ConnectOrder {
  /** A name or an address, without port. */
  readonly address: string;
  readonly port: number;
  /** Of each stage. */
  readonly stageTimeoutMs: number;
  readonly signal: AbortSignal;
}

export interface NetworkLook {
  /** `dns`, `tcp`, `tls`: all three, `skipped` where they do not apply or were not reached. */
  readonly stages: readonly ProbeStage[];
  /** What the request brought; null when it was not reached. */
  readonly answer: NetworkAnswer | null;
}

export type NetworkAnswer =
  | {
      readonly kind: 'status';
      readonly status: number;
      /** To the first byte. */
      readonly durationMs: number;
    }
  | { readonly kind: 'failure'; readonly stage: ProbeStage };

/** Redirects are not followed; the body is not read. Never rejects: what goes wrong is a stage. */
export interface NetworkProbe {
  look(order: NetworkLookOrder): Promise<NetworkLook>;
  /** `dns` and `tcp` only: connects, sends nothing and goes. */
  connect(order: ConnectOrder): Promise<readonly ProbeStage[]>;
}
