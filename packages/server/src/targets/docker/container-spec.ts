/** From a definition to what the engine is asked to create. Pure. */
import {
  canonicalJson,
  type Digest,
  digestOf,
  type DockerTargetDefinition,
  type Json,
  type PublishedPort,
} from '@stella/domain';
import type { ContainerSpec } from '../../ports/docker-engine.ts';

const MS_PER_SECOND = 1_000;

type Options = Pick<
  DockerTargetDefinition,
  'command' | 'env' | 'secretEnv' | 'ports' | 'volumes' | 'network' | 'restart' | 'stopTimeoutMs'
>;

export interface ContainerParts {
  /** `registry/repository@sha256:…`. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Values of `secretEnv`, by the name of the variable. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Docker Engine API, `POST /containers/create`. */
export function containerSpec(options: Options, { image, labels, secrets }: ContainerParts): ContainerSpec {
  const { command, env, ports, volumes, network, restart, stopTimeoutMs } = options;
  const variables = Object.entries({ ...env, ...secrets }).map(([name, value]) => `${name}=${value}`);
  const exposed = [...new Set(ports.map(portKey))];
  return {
    Image: image,
    Labels: labels,
    Env: variables.sort(),
    ...(command && { Cmd: command }),
    ExposedPorts: Object.fromEntries(exposed.map((key) => [key, {}])),
    StopTimeout: Math.ceil(stopTimeoutMs / MS_PER_SECOND),
    HostConfig: {
      PortBindings: Object.fromEntries(
        exposed.map((key) => [key, ports.filter((one) => portKey(one) === key).map(bindingOf)]),
      ),
      Mounts: volumes.map(({ source, path, isReadOnly }) => ({
        Type: source.startsWith('/') ? 'bind' : 'volume',
        Source: source,
        Target: path,
        ReadOnly: isReadOnly,
      })),
      ...(network !== null && { NetworkMode: network }),
      RestartPolicy: { Name: restart },
    },
  };
}

/** Of all that a container of this definition is created with, but the values of secrets and the image. */
export function configHash(options: Options): Digest {
  const { Labels: _labels, Image: _image, ...rest } = containerSpec(options, { image: '', labels: {}, secrets: {} });
  // What the engine is sent is JSON.
  const told = JSON.parse(JSON.stringify({ ...rest, secretEnv: options.secretEnv })) as Json;
  return digestOf(canonicalJson(told));
}

function portKey({ containerPort, protocol }: PublishedPort): string {
  return `${containerPort}/${protocol}`;
}

function bindingOf({ address, hostPort }: PublishedPort): { readonly HostIp: string; readonly HostPort: string } {
  return { HostIp: address ?? '', HostPort: hostPort === null ? '' : String(hostPort) };
}
