/** How it is found out whether a target is healthy, beside that it runs what was promised. All durations in milliseconds. */

interface HealthTiming {
  /** Deadline of one look. */
  readonly timeoutMs: number;
  /** Pause between looks. */
  readonly intervalMs: number;
  /** So many good ones in a row make it healthy. */
  readonly threshold: number;
  /** Gives up and says unhealthy after this long. */
  readonly deadlineMs: number;
}

/** GET `url`, good when it answers `expectStatus`; asked from the orchestrator. */
export interface HttpHealthCheck extends HealthTiming {
  /** Left out, for definitions from before there were other kinds keep their hash. */
  readonly kind?: never;
  readonly url: string;
  readonly expectStatus: number;
}

/** A connection, good when it is made; nothing is sent. For what speaks no HTTP; made from the orchestrator. */
export interface TcpHealthCheck extends HealthTiming {
  readonly kind: 'tcp';
  /** A name or an address, without port. */
  readonly address: string;
  readonly port: number;
}

/** The health check that the image of a container brings, as its engine tells it. Only of targets that are containers. */
export interface ContainerHealthCheck {
  readonly kind: 'container';
  /** Pause between looks. */
  readonly intervalMs: number;
  /** Gives up and says unhealthy after this long; a clear no of the check is believed at once. */
  readonly deadlineMs: number;
}

export const HEALTH_KINDS = ['http', 'tcp', 'container'] as const;
export type HealthKind = (typeof HEALTH_KINDS)[number];
/** Those that ask from outside, whatever runs there. */
export type HealthCheck = HttpHealthCheck | TcpHealthCheck;
