/** The keys of a target of kind `docker` beside those that every kind has. */
import { isIP } from 'node:net';
import {
  type DockerOptions,
  PORT_PROTOCOLS,
  type PublishedPort,
  RESTART_POLICIES,
  SWITCH_ORDERS,
  type VolumeMount,
} from '@stella/domain';
import { checkArgument, checkDirectory, checkSecretReference } from './definition-checks.ts';
import type { MapReader, NumberRule } from './map-reader.ts';
import { MINUTE_MS, SECOND_MS } from './time-units.ts';

export const DOCKER_KEYS = [
  'container',
  'socket',
  'command',
  'env',
  'secretEnv',
  'ports',
  'volumes',
  'network',
  'restart',
  'stopTimeout',
  'order',
] as const;

/** As the engine takes names of containers, volumes and networks; the length is ours. */
const ENGINE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,100}$/;
/** IEEE Std 1003.1, "Environment Variables", with lower case, which programs use too. */
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/;
const VARIABLE_LENGTH_MAX = 4_096;
export const VARIABLES_MAX = 100;
const ENTRIES_MAX = 50;
const PORT_MAX = 65_535;
const STOP_TIMEOUT: NumberRule = { standard: 10 * SECOND_MS, min: 0, max: 10 * MINUTE_MS };

/** `name` is that of the target. */
export function readDockerOptions(map: MapReader, name: string): DockerOptions {
  const command = map.has('command')
    ? map.list('command', checkArgument, { countMax: ENTRIES_MAX, isRequired: true })
    : null;
  const ports = (map.texts('ports', checkPort, { countMax: ENTRIES_MAX }) ?? []).flatMap((one) => parsePort(one) ?? []);
  const order = map.choice('order', SWITCH_ORDERS, 'stop_first') ?? 'stop_first';
  if (order === 'start_first' && ports.some((one) => one.hostPort !== null)) {
    map.refuse(
      'order',
      'order: with start_first both containers run for a while, which cannot both have a port of the host; use stop_first',
    );
  }
  const secretEnv = map.pairs('secretEnv', checkSecretVariable, VARIABLES_MAX);
  const env = map.pairs('env', checkVariable, VARIABLES_MAX);
  for (const both of Object.keys(env).filter((one) => secretEnv[one] !== undefined)) {
    map.refuse('env', `env: "${both}" is in secretEnv too`);
  }
  return {
    container: map.text('container', checkEngineName, name),
    socket: map.has('socket') ? map.text('socket', checkDirectory) : null,
    command,
    env,
    secretEnv,
    ports,
    volumes: (map.texts('volumes', checkVolume, { countMax: ENTRIES_MAX }) ?? []).flatMap(
      (one) => parseVolume(one) ?? [],
    ),
    network: map.has('network') ? map.text('network', checkEngineName) : null,
    restart: map.choice('restart', RESTART_POLICIES, 'unless-stopped') ?? 'unless-stopped',
    stopTimeoutMs: map.duration('stopTimeout', STOP_TIMEOUT),
    order,
  };
}

function checkEngineName(value: string): string | null {
  if (ENGINE_NAME.test(value)) return null;
  return `"${value.slice(0, 80)}" is not a name; expected letters, digits, "_", "." and "-", at most 101`;
}

function checkVariable(name: string, value: string): string | null {
  if (!VARIABLE_NAME.test(name)) return `"${name.slice(0, 80)}" is not the name of a variable`;
  if (value.length > VARIABLE_LENGTH_MAX) return `longer than ${VARIABLE_LENGTH_MAX} characters`;
  return value.includes('\0') ? 'holds a zero byte' : null;
}

export function checkSecretVariable(name: string, value: string): string | null {
  return checkVariable(name, '') ?? checkSecretReference(value);
}

function checkPort(value: string): string | null {
  if (parsePort(value)) return null;
  return `"${value.slice(0, 80)}" is not a port; write "8080:80", "127.0.0.1:8080:80", "[::1]:53:53/udp" or "80" for a free one`;
}

const PORT = /^(?:(?:(\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(\d{0,5}):)?(\d{1,5})(?:\/([a-z]+))?$/;

/** Null when it is none. */
function parsePort(value: string): PublishedPort | null {
  const [, addressText, hostText, containerText = '', protocolText = 'tcp'] = PORT.exec(value) ?? [];
  const protocol = PORT_PROTOCOLS.find((one) => one === protocolText);
  const address = addressText === undefined ? null : addressText.replace(/^\[|\]$/g, '');
  const hostPort = hostText === undefined || hostText === '' ? null : Number(hostText);
  const containerPort = Number(containerText);
  if (protocol === undefined || (address !== null && isIP(address) === 0)) return null;
  if (address === null && hostText === '') return null;
  if (!isPort(containerPort) || (hostPort !== null && !isPort(hostPort))) return null;
  return { address, hostPort, containerPort, protocol };
}

function isPort(port: number): boolean {
  return port >= 1 && port <= PORT_MAX;
}

function checkVolume(value: string): string | null {
  const volume = parseVolume(value);
  if (!volume)
    return `"${value.slice(0, 80)}" is not a volume; write "name:/path", "/host/path:/path" or either with ":ro"`;
  if (volume.source.startsWith('/')) return checkDirectory(volume.source) ?? checkDirectory(volume.path);
  return checkEngineName(volume.source) ?? checkDirectory(volume.path);
}

/** Null when it is none. */
function parseVolume(value: string): VolumeMount | null {
  const [source = '', path = '', mode, ...more] = value.split(':');
  if (source === '' || !path.startsWith('/') || more.length > 0) return null;
  if (mode !== undefined && mode !== 'ro' && mode !== 'rw') return null;
  return { source, path, isReadOnly: mode === 'ro' };
}
