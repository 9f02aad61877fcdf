/**
 * A network namespace of its own for one replica, joined to this machine by a pair of virtual interfaces, and cut off by
 * a filter that drops everything: nobody is told, answers just stop. Nothing else of the machine's network is touched.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const COMMAND_TIMEOUT_MS = 10_000;
const DROP_ALL = [
  'add table inet cut',
  'add chain inet cut come { type filter hook input priority 0; policy drop; }',
  'add chain inet cut go { type filter hook output priority 0; policy drop; }',
].join('; ');

export interface Island {
  /** Of this machine, as the island reaches it. */
  readonly mainland: string;
  readonly range: string;
  /** What a program and its arguments are put behind, to run in there. */
  readonly enter: readonly string[];
  cutOff(): Promise<void>;
  reconnect(): Promise<void>;
  remove(): Promise<void>;
}

/** Needs root. `number` keeps apart what runs on one machine at the same time, 0 to 60. */
export async function makeIsland(number: number): Promise<Island> {
  const name = `stella${process.pid}`;
  const [here, there] = [`st${process.pid}a`.slice(-14), `st${process.pid}b`.slice(-14)];
  const net = `10.213.${number}`;
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
    range: `${net}.0/30`,
    enter,
    cutOff: () => inside('nft', DROP_ALL),
    reconnect: () => inside('nft', 'delete table inet cut'),
    remove,
  };
}

async function run([program = '', ...args]: readonly string[]): Promise<void> {
  await promisify(execFile)(program, args, { timeout: COMMAND_TIMEOUT_MS });
}
