/** What a Compose file may hold to be the same on every host and at every deploy (Compose specification). Pure. */
import { composeEntries, type Json, type JsonMap, nearestOf } from '@stella/domain';

const TOP_KEYS = ['services', 'networks', 'volumes'] as const;

/**
 * Left out are `build`, which makes another image each time, `env_file`, `extends`, `configs`, `secrets` and `label_file`,
 * which read files of the host, and `profiles`, which leave services out.
 */
const SERVICE_KEYS: readonly string[] = (
  'cap_add cap_drop command container_name cpu_shares cpus cpuset depends_on deploy devices dns dns_search domainname ' +
  'entrypoint environment expose extra_hosts group_add healthcheck hostname image init ipc labels links logging ' +
  'mem_limit mem_reservation memswap_limit network_mode networks pid pids_limit ports privileged read_only restart ' +
  'scale shm_size stdin_open stop_grace_period stop_signal sysctls tmpfs tty ulimits user volumes working_dir'
).split(' ');
/** The registry is named: what a bare name means is up to each engine. */
const PINNED = /^(?:localhost|[a-z0-9-]+[.:][a-z0-9.:-]*)\/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$/;
/** Labels by which Stella and Compose know their containers again. */
const OWN_LABEL = /^(?:dev\.stella|com\.docker\.compose)\./;

/** For people, each naming its service; empty: it may be used. `components`: service → component. */
export function faultsOfCompose(compose: JsonMap, components: Readonly<Record<string, string>>): readonly string[] {
  const unknown = Object.keys(compose).filter((key) => !TOP_KEYS.some((one) => one === key));
  const services = isMap(compose['services']) ? compose['services'] : {};
  const missing = Object.keys(components).filter((name) => services[name] === undefined);
  return [
    ...unknown.map((key) => `"${key}" is none of ${TOP_KEYS.join(', ')}${hintOf(key, TOP_KEYS)}`),
    ...missing.map((name) => `there is no service "${name}", which components names`),
    ...Object.entries(services).flatMap(([name, service]) => faultsOfService(name, service, components[name])),
    ...variablesIn(compose, []),
  ];
}

function faultsOfService(name: string, service: Json | undefined, component: string | undefined): readonly string[] {
  const own = service ?? {};
  if (!isMap(own)) return [`service "${name}": expected a mapping`];
  const found = [
    ...Object.keys(own)
      .filter((key) => !SERVICE_KEYS.includes(key))
      .map((key) => `the key "${key}" is not taken${hintOf(key, SERVICE_KEYS)}`),
    imageFault(own['image'], component),
    ...composeEntries(own['environment']).map(environmentFault),
    ...composeEntries(own['labels']).map(([label]) =>
      OWN_LABEL.test(label) ? `the label "${label}" is set by Stella` : null,
    ),
    ...(Array.isArray(own['volumes']) ? own['volumes'] : []).map(volumeFault),
  ];
  return found.flatMap((fault) => (fault === null ? [] : [`service "${name}": ${fault}`]));
}

function imageFault(image: Json | undefined, component: string | undefined): string | null {
  if (component !== undefined) {
    return image === undefined ? null : `its image is that of component "${component}"; leave "image" out`;
  }
  if (typeof image === 'string' && PINNED.test(image)) return null;
  return 'it is no component, so its image must be pinned: write "image: registry/repository@sha256:…"';
}

function environmentFault([name, value]: readonly [string, Json | undefined]): string | null {
  return value === undefined || value === null
    ? `the variable "${name}" has no value, and the host's are not read`
    : null;
}

/** Relative to a directory that only Compose knows, or to a home. */
function volumeFault(volume: Json): string | null {
  const source = typeof volume === 'string' ? volume : isMap(volume) ? volume['source'] : undefined;
  if (typeof source !== 'string' || !/^[.~]/.test(source)) return null;
  return `the volume "${source.slice(0, 80)}" has no absolute path`;
}

/** Compose writes the host's variables into every text; a dollar sign is written twice. */
function variablesIn(value: Json | undefined, path: readonly string[]): readonly string[] {
  if (typeof value === 'string') {
    const isPlain = !value.replaceAll('$$', '').includes('$');
    return isPlain
      ? []
      : [`${path.join('.')} has a variable, and the host's are not read; write "$$" for a dollar sign`];
  }
  if (Array.isArray(value)) return value.flatMap((item: Json) => variablesIn(item, path));
  if (!isMap(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => variablesIn(item, [...path, key]));
}

function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hintOf(key: string, known: readonly string[]): string {
  const nearest = nearestOf(key, known);
  return nearest === null ? '' : `; did you mean "${nearest}"?`;
}
