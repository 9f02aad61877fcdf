/** What a route's handler gets and gives. One file per route under `routes/`; a handler does no work, it asks for it. */
import type { Body, Query, RouteName, RouteParameters } from '@stella/contract';
import type {
  EnvironmentDefinition,
  IdSource,
  NotificationChannel,
  RegistryDefinition,
  Settings,
} from '@stella/domain';
import type { AttemptLimit } from '../auth/attempt-limit.ts';
import type { Caller } from '../auth/authenticate.ts';
import type { DoctorDeps } from '../doctor/check.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandStore, CommandTransaction } from '../ports/command-store.ts';
import type { Diagnoser } from '../ports/diagnoser.ts';
import type { LogRing } from '../ports/log-ring.ts';
import type { Logger } from '../ports/logger.ts';
import type { EngineMetrics } from '../ports/metrics.ts';
import type { NotificationReads } from '../ports/notification-store.ts';
import type { SendNotice } from '../ports/notify-sender.ts';
import type { ProbeStore } from '../ports/probe-store.ts';
import type { Random } from '../ports/random.ts';
import type { ReadStore } from '../ports/read-store.ts';
import type { Secrets } from '../ports/secrets.ts';
import type { Registry } from '../ports/registry.ts';
import type { OpenTarget } from '../ports/target.ts';
import type { Prober } from '../probes/prober.ts';

export interface HttpDeps {
  readonly commands: CommandStore;
  readonly reads: ReadStore;
  readonly doctor: DoctorDeps;
  readonly diagnoser: Diagnoser;
  readonly probes: ProbeStore;
  readonly prober: Prober;
  readonly notifications: NotificationReads;
  readonly sendNotice: SendNotice;
  readonly registry: Registry;
  readonly openTarget: OpenTarget;
  readonly ids: IdSource;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly logRing: LogRing;
  readonly secrets: Pick<Secrets, 'read'>;
  readonly gateEvaluated: EngineMetrics['gateEvaluated'];
  readonly settings: Settings;
  readonly attemptLimit: AttemptLimit;
  readonly configuration: ConfigurationReader;
  /** The key in the recovery file; null when it cannot be read. */
  readonly readRecoveryKey: () => Promise<string | null>;
  /** There may be due work: a hint for the worker in this process. */
  readonly wake: () => void;
  readonly about: { readonly version: string; readonly isEmbedded: boolean };
  /** How far each part has come, for `/readyz`. */
  readonly readProgress: () => Promise<readonly ProgressReport[]>;
  readonly renderMetrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly countRequest: (route: string, status: number, durationMs: number) => void;
}

export interface ProgressReport {
  readonly part: 'database' | 'worker' | 'drain';
  readonly isReady: boolean;
  readonly message: string;
}

/** YAML texts ↔ definitions; bound to the configuration folder by the composition root. */
export interface ConfigurationReader {
  parseDocuments(
    text: string,
    file: string,
  ): {
    readonly environments: readonly { readonly definition: EnvironmentDefinition }[];
    readonly channels: readonly { readonly definition: NotificationChannel }[];
    readonly registries: readonly { readonly definition: RegistryDefinition }[];
  };
  formatEnvironment(definition: EnvironmentDefinition): string;
  findCycle(definitions: readonly EnvironmentDefinition[]): readonly string[] | null;
}

export interface RequestContext<Name extends RouteName> {
  readonly caller: Caller;
  readonly parameters: RouteParameters<Name>;
  readonly query: Query<Name>;
  readonly body: Body<Name>;
  /** Aborts when the caller hangs up or the request's deadline has come. */
  readonly signal: AbortSignal;
  readonly address: string;
  /** From `If-Match: "v12"`; null when it was not sent. */
  readonly seenVersion: number | null;
  readonly setEtag: (etag: string) => void;
  /**
   * One transaction: the work's effect, its events and the answer kept under the Idempotency-Key. With `dryRun` in the
   * body everything is done and nothing is kept. `secretField`: that member of the answer is stored only encrypted.
   */
  readonly write: <Written extends object>(
    work: (tx: CommandTransaction) => Promise<Written>,
    secretField?: string,
  ) => Promise<Written>;
  /** The answer that was kept under the request's Idempotency-Key; null: there is none. Not for answers with secrets. */
  readonly findRepeated: () => Promise<object | null>;
}

/** Answers are checked and stripped by the route's schema when they are serialised. */
export type RouteHandler<Name extends RouteName> = (deps: HttpDeps, context: RequestContext<Name>) => Promise<object>;
