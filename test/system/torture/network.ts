/**
 * A network namespace of its own for one replica or host, joined to this machine by a pair of virtual interfaces, and cut off by
 * a filter that drops everything: nobody is told, answers just stop. Nothing else of the machine's network is touched.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { promisify } from 'node:util';

const COMMAND_TIMEOUT_MS = 10_000;
const NETS = 250;
/** Where `ip netns` keeps them. */
const NAMESPACES = '/run/netns';
const DROP_ALL = [
  'add table inet cut',
  'add chain inet cut come { type filter hook input priority 0; policy drop; }',
  'add chain inet cut go { type filter hook output priority 0; policy drop; }',
].join('; ');

export interface Island {
  /** Of this machine, as the island reaches it. */
  readonly mainland: string;
  /** Of the island, as this machine reaches it. */
  readonly address: string;
  readonly range: string;
  /** What a program and its arguments are put behind, to run in there. */
  readonly enter: readonly string[];
  cutOff(): Promise<void>;
  reconnect(): Promise<void>;
  remove(): Promise<void>;
}

/** Needs root. `letter` tells those of one process apart. */
export async function makeIsland(letter: '' | 'a' | 'b' | 'c' = ''): Promise<Island> {
  await removeAbandoned();
  const name = `stella${process.pid}${letter}`;
  const link = (end: 'h' | 't'): string => `st${process.pid}${letter}${end}`.slice(-14);
  const [here, there] = [link('h'), link('t')];
  const net = freeNet();
  const enter = ['nsenter', `--net=/run/netns/${name}`];
  const inside = (...command: readonly string[]): Promise<void> => run([...enter, ...command]);
  const remove = (): Promise<void> => run(['ip', 'netns', 'del', name]);
  await run(['ip', 'netns', 'add', name]);
  try {
    await run(['ip', 'link', 'add', here, 'type', 'veth', 'peer', 'name', there]);
    await run(['ip', 'link', 'set', there, 'netns', name]);
    await run(['ip', 'addr', 'add', `${net}.1/30`, 'dev', here]);
    await run(['ip', 'link', 'set', here, 'up']);
    await inside('ip', 'addr', 'add', `${net}.2/30`, 'dev', there);
    await inside('ip', 'link', 'set', there, 'up');
    await inside('ip', 'link', 'set', 'lo', 'up');
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    mainland: `${net}.1`,
    address: `${net}.2`,
    range: `${net}.0/30`,
    enter,
    cutOff: () => inside('nft', DROP_ALL),
    reconnect: () => inside('nft', 'delete table inet cut'),
    remove,
  };
}

/** Namespaces of runs that were killed; each is named after its process. */
async function removeAbandoned(): Promise<void> {
  const names = existsSync(NAMESPACES) ? readdirSync(NAMESPACES) : [];
  for (const name of names) {
    const [, pid] = /^stella(\d+)[abc]?$/.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await run(['ip', 'netns', 'del', name]);
  }
}

/** Of another run at the same time, or of one that was killed, packets would come and go the wrong way. */
function freeNet(): string {
  const taken = new Set(
    Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []),
  );
  for (let tried = 0; tried < NETS; tried += 1) {
    const net = `10.213.${(process.pid + tried) % NETS}`;
    if (!taken.has(`${net}.1`)) return net;
  }
  throw new Error('every network 10.213.* of this machine is taken');
}

async function run([program = '', ...args]: readonly string[]): Promise<void> {
  await promisify(execFile)(program, args, { timeout: COMMAND_TIMEOUT_MS });
}
