/** How it is found out whether a target is healthy, beside that it runs what was promised. All durations in milliseconds. */
import type { CommandArgv } from './command-argv.ts';

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

/**
 * A program on the host of the target, run without a shell; good when it ends with exit code 0. It is told what it looks at in
 * variables `STELLA_…`, as the programs of a command target are.
 */
export interface CommandHealthCheck extends HealthTiming {
  readonly kind: 'command';
  readonly command: CommandArgv;
}

/** The health check that the image of a container brings, as its engine tells it. Only of targets that are containers. */
export interface ContainerHealthCheck {
  readonly kind: 'container';
  /** Pause between looks. */
  readonly intervalMs: number;
  /** Gives up and says unhealthy after this long; a clear no of the check is believed at once. */
  readonly deadlineMs: number;
}

export const HEALTH_KINDS = ['http', 'tcp', 'command', 'container'] as const;
export type HealthKind = (typeof HEALTH_KINDS)[number];
/** Those that the orchestrator makes over the network, wherever the target is. */
export type NetworkHealthCheck = HttpHealthCheck | TcpHealthCheck;
/** Those that targets of every kind may have. */
export type HealthCheck = NetworkHealthCheck | CommandHealthCheck;

/** False when there is none. */
export function isOverNetwork(check: HealthCheck | ContainerHealthCheck | null): check is NetworkHealthCheck {
  return check !== null && (check.kind === undefined || check.kind === 'tcp');
}
