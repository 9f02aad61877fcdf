/** What a container is made with, in the words of Docker; of a target of kind `docker`. */

export const PORT_PROTOCOLS = ['tcp', 'udp'] as const;
export type PortProtocol = (typeof PORT_PROTOCOLS)[number];

export interface PublishedPort {
  /** Address of the host; null: all of them. */
  readonly address: string | null;
  /** Null: the engine takes a free one. */
  readonly hostPort: number | null;
  readonly containerPort: number;
  readonly protocol: PortProtocol;
}

export interface VolumeMount {
  /** Absolute path of the host, or the name of a volume of the engine. */
  readonly source: string;
  /** Absolute, in the container. */
  readonly path: string;
  readonly isReadOnly: boolean;
}

export const RESTART_POLICIES = ['no', 'always', 'unless-stopped', 'on-failure'] as const;
/** Docker's own words. */
export type RestartPolicy = (typeof RESTART_POLICIES)[number];

export const SWITCH_ORDERS = ['stop_first', 'start_first'] as const;
/**
 * `stop_first`: the old container is stopped, then the new one started, which may take its ports. `start_first`: the new
 * one is started beside the old one, which goes when the new one is healthy.
 */
export type SwitchOrder = (typeof SWITCH_ORDERS)[number];

export interface DockerOptions {
  /** Name of the container. Default: that of the target. */
  readonly container: string;
  /** The engine's socket, absolute, on its host; null: where the host's `docker` looks by itself. */
  readonly socket: string | null;
  /** In place of what the image runs; null: as the image says. */
  readonly command: readonly string[] | null;
  /** Never a secret: these are shown to viewers. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables whose values are read from a secret when the container is created: `env:STELLA_SECRET_…` or `file:/…`. */
  readonly secretEnv: Readonly<Record<string, string>>;
  readonly ports: readonly PublishedPort[];
  readonly volumes: readonly VolumeMount[];
  /** A network that the engine has, or `host`, `none`; null: the engine's default. */
  readonly network: string | null;
  readonly restart: RestartPolicy;
  /** From SIGTERM to SIGKILL. Default 10 s. */
  readonly stopTimeoutMs: number;
  readonly order: SwitchOrder;
}

/** `127.0.0.1:8080:80/udp`, as `docker run -p` takes it; `/tcp` is left out. */
export function formatPublishedPort({ address, hostPort, containerPort, protocol }: PublishedPort): string {
  const host = address === null ? '' : `${address.includes(':') ? `[${address}]` : address}:`;
  const port = hostPort === null && address === null ? '' : `${hostPort ?? ''}:`;
  return `${host}${port}${containerPort}${protocol === 'tcp' ? '' : `/${protocol}`}`;
}

/** `data:/var/lib/data:ro`, as `docker run -v` takes it. */
export function formatVolumeMount({ source, path, isReadOnly }: VolumeMount): string {
  return `${source}:${path}${isReadOnly ? ':ro' : ''}`;
}
