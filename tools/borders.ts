/**
 * Who may import whom, as one table: the borders of `ARCHITECTURE.md`, enforced by `npm run lint`.
 *
 * A zone is a folder with one purpose. What a row does not list is forbidden. A file belongs to the zone with the
 * longest matching folder; code under `packages/` that matches no zone is itself a finding, so a new folder must be
 * entered here, with what it may know.
 *
 * `world` says what a zone may touch beyond its imports. `nothing`: no module of Node, no clock, randomness, network
 * or process. `ports`: only the modules of Node that compute (`PURE_NODE_MODULES`); all else comes in through ports.
 * `all`: the real world, for the implementations of ports and for programs.
 */
export type World = 'nothing' | 'ports' | 'all';

export interface Zone {
  /** Folder, or one file, from the root. */
  readonly folder: string;
  readonly world: World;
  /** Folders of zones it may import; its own is always allowed. `*` is every zone of the workspace. */
  readonly zones: readonly string[];
  /** Zones of which it may import types only. */
  readonly typesOf?: readonly string[];
  /** Zones that it may load with `import()` only, so that they cost nothing at start-up. */
  readonly lazy?: readonly string[];
  /** Packages of npm; a trailing `/*` allows a scope. */
  readonly packages: readonly string[];
}

const DOMAIN = 'packages/domain/src';
const CONTRACT = 'packages/contract/src';
const CLIENT = [`${CONTRACT}/client.ts`, `${CONTRACT}/client-entry.ts`, `${CONTRACT}/routes.ts`];
const SERVER = 'packages/server/src';
const CLI = 'packages/cli/src';
/** The one command that runs a server in its own process. */
const SERVE = `${CLI}/commands/orch/serve.ts`;
/** The commands that manage it on this machine. */
const SERVICE = `${CLI}/commands/service`;
/** Faults on real sockets, directories and artifacts, for commands that load them when they run. */
const DRILLS = `${CLI}/drills`;
const TESTKIT = 'packages/testkit/src';
const PORTS = `${SERVER}/ports`;

/** A folder of the server that works through ports. */
function serverZone(name: string, more: { zones?: readonly string[]; packages?: readonly string[] } = {}): Zone {
  return {
    folder: `${SERVER}/${name}`,
    world: 'ports',
    zones: [DOMAIN, PORTS, ...(more.zones ?? [])],
    packages: more.packages ?? [],
  };
}

export const ZONES: readonly Zone[] = [
  { folder: DOMAIN, world: 'nothing', zones: [], packages: ['@noble/hashes', 'temporal-polyfill'] },
  { folder: CONTRACT, world: 'nothing', zones: [DOMAIN, ...CLIENT], packages: ['zod'] },
  // What a client loads at run time: no zod, which costs 39 ms at start-up, and no schema.
  ...CLIENT.map(
    (folder): Zone => ({
      folder,
      world: folder.endsWith('/client.ts') ? 'all' : 'nothing',
      zones: [DOMAIN, ...CLIENT],
      typesOf: [CONTRACT],
      packages: [],
    }),
  ),

  { folder: PORTS, world: 'ports', zones: [DOMAIN], packages: [] },
  serverZone('store', { packages: ['pg'] }),
  serverZone('engine'),
  // Around ports and statements, for tests: in production nothing of it is composed.
  serverZone('faults', { zones: [`${SERVER}/store`], packages: ['pg'] }),
  serverZone('webhooks'),
  serverZone('gates', { zones: [`${SERVER}/webhooks`] }),
  serverZone('targets', { packages: ['tar-stream', 'yaml'] }),
  serverZone('registry'),
  serverZone('config', { packages: ['yaml', 'zod'] }),
  serverZone('auth'),
  serverZone('sequencer'),
  serverZone('auditor'),
  serverZone('notify', { zones: [`${SERVER}/webhooks`] }),
  serverZone('diagnosis'),
  serverZone('doctor', { zones: [`${SERVER}/probes`] }),
  serverZone('offline', { zones: [`${SERVER}/data-dir`, `${SERVER}/doctor`, `${SERVER}/supervision`] }),
  serverZone('probes', { zones: [`${SERVER}/registry`] }),
  serverZone('metrics', { packages: ['prom-client'] }),
  // SQL of its own, once: it makes the roles and the database of a new cluster, before there is a store.
  serverZone('postgres', { zones: [`${SERVER}/config`, `${SERVER}/data-dir`], packages: ['pg'] }),
  serverZone('data-dir'),
  serverZone('supervision', { zones: [`${SERVER}/config`, `${SERVER}/data-dir`, `${SERVER}/postgres`] }),
  serverZone('http', {
    zones: [
      CONTRACT,
      `${SERVER}/auth`,
      `${SERVER}/doctor`,
      `${SERVER}/engine/commands`,
      `${SERVER}/probes`,
      `${SERVER}/webhooks`,
    ],
    packages: ['fast-json-stringify', 'fastify', '@fastify/*', 'zod'],
  }),
  {
    folder: `${SERVER}/system`,
    world: 'all',
    zones: [DOMAIN, PORTS],
    packages: ['undici', 'pino', 'nodemailer', 'ssh2', 'shlex', 'docker-modem'],
  },
  { folder: `${SERVER}/main`, world: 'all', zones: ['*'], packages: ['pino'] },
  // The public face of the package: what the command line and the testkit may use of the server.
  { folder: `${SERVER}/index.ts`, world: 'all', zones: ['*'], packages: [] },
  // The same for managing it as a service of this machine, without its HTTP and its engine.
  { folder: `${SERVER}/service.ts`, world: 'all', zones: ['*'], packages: [] },

  {
    folder: CLI,
    world: 'all',
    zones: [DOMAIN, ...CLIENT, SERVE, SERVICE],
    typesOf: [CONTRACT, DRILLS],
    lazy: [DRILLS],
    packages: ['commander', 'yaml'],
  },
  {
    folder: DRILLS,
    world: 'all',
    zones: [DOMAIN, CLI, ...CLIENT],
    typesOf: [CONTRACT],
    packages: ['pg', 'selfsigned', 'ssh2', 'tar-stream'],
  },
  {
    folder: SERVE,
    world: 'all',
    zones: [DOMAIN, CLI, ...CLIENT],
    typesOf: [CONTRACT],
    lazy: [SERVER],
    packages: ['commander'],
  },
  {
    folder: SERVICE,
    world: 'all',
    zones: [DOMAIN, CLI, ...CLIENT],
    typesOf: [CONTRACT, `${SERVER}/service.ts`],
    lazy: [`${SERVER}/service.ts`],
    packages: ['commander'],
  },
  { folder: TESTKIT, world: 'all', zones: [DOMAIN, CONTRACT, SERVER], packages: ['tar-stream', 'vitest'] },

  // Of the server: its tables of names, which pages are generated from.
  { folder: 'tools', world: 'all', zones: [DOMAIN, SERVER, CLI], packages: ['oxc-parser', 'esbuild', 'vitest'] },
  { folder: 'bench', world: 'all', zones: [DOMAIN, CONTRACT, SERVER, TESTKIT, 'tools'], packages: ['pg'] },
  { folder: 'examples', world: 'all', zones: [DOMAIN, CONTRACT, TESTKIT], packages: ['sirv', 'tar-stream'] },
  { folder: 'vitest.config.ts', world: 'all', zones: [], packages: ['vitest'] },
];

/** Tests may use more than the code beside them, and no code may use a test. */
export const TEST_ZONE: Omit<Zone, 'folder'> = {
  world: 'all',
  zones: ['*'],
  packages: [
    'vitest',
    'fast-check',
    'pg',
    'yaml',
    'tar-stream',
    'selfsigned',
    'ssh2',
    'smtp-server',
    'standardwebhooks',
    '@redocly/*',
    'oxc-parser',
    'esbuild',
  ],
};

/**
 * Modules of Node that only compute, for zones whose world is `ports`. A list of names allows no others: the same
 * module also holds randomness, sockets or files.
 */
export const PURE_NODE_MODULES: Readonly<Record<string, '*' | readonly string[]>> = {
  'node:path': '*',
  'node:path/posix': '*',
  'node:url': '*',
  'node:util': '*',
  'node:buffer': '*',
  'node:events': '*',
  'node:stream': '*',
  'node:stream/promises': '*',
  'node:string_decoder': '*',
  'node:zlib': '*',
  'node:crypto': [
    'createCipheriv',
    'createDecipheriv',
    'createHash',
    'createHmac',
    'createPublicKey',
    'hash',
    'hkdfSync',
    'timingSafeEqual',
    'verify',
  ],
  'node:fs': ['constants'],
  'node:net': ['BlockList', 'isIP', 'isIPv4', 'isIPv6'],
};

/** Globals that reach the real world, by the port that replaces them. A member list leaves the others allowed. */
export const WORLD_GLOBALS: Readonly<Record<string, { members: '*' | readonly string[]; port: string }>> = {
  setTimeout: { members: '*', port: 'clock' },
  setInterval: { members: '*', port: 'clock' },
  setImmediate: { members: '*', port: 'clock' },
  performance: { members: '*', port: 'clock' },
  Date: { members: ['now'], port: 'clock' },
  AbortSignal: { members: ['timeout'], port: 'clock' },
  Math: { members: ['random'], port: 'random' },
  crypto: { members: '*', port: 'random' },
  fetch: { members: '*', port: 'http' },
  WebSocket: { members: '*', port: 'http' },
  EventSource: { members: '*', port: 'http' },
  process: { members: '*', port: 'configuration, signals and output, which come from main/' },
  console: { members: '*', port: 'logger' },
};

/** Workspaces are imported by name; each name leads to a public face, as `exports` of its package.json says. */
export const WORKSPACES: Readonly<Record<string, string>> = {
  '@stella/domain': `${DOMAIN}/index.ts`,
  '@stella/domain/client': `${DOMAIN}/client-entry.ts`,
  '@stella/contract': `${CONTRACT}/index.ts`,
  '@stella/contract/client': `${CONTRACT}/client-entry.ts`,
  '@stella/server': `${SERVER}/index.ts`,
  '@stella/server/service': `${SERVER}/service.ts`,
  '@stella/cli': `${CLI}/index.ts`,
  '@stella/testkit': `${TESTKIT}/index.ts`,
  '@stella/testkit/memory': `${TESTKIT}/memory/memory-stores.ts`,
  '@stella/testkit/hostile': `${TESTKIT}/hostile/hostile-server.ts`,
  '@stella/testkit/hostile/behaviours': `${TESTKIT}/hostile/behaviours.ts`,
  '@stella/testkit/oci-layout': `${TESTKIT}/oci-layout.ts`,
};

/** The zone that owns a path, null when none does. */
export function zoneOf(path: string): Zone | null {
  let owner: Zone | null = null;
  for (const zone of ZONES) {
    const isInside = path === zone.folder || path.startsWith(`${zone.folder}/`);
    if (isInside && zone.folder.length > (owner?.folder.length ?? 0)) owner = zone;
  }
  return owner;
}
