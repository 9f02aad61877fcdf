/** `stella orch env status <environment>`: what runs there, since when, by whom, and what is going on. */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { isSet, positional } from '../../input.ts';
import { textView } from '../../view.ts';
import { releaseWords } from '../environment/release-words.ts';
import { relativeTo } from '../show-age.ts';

type Status = Answer<'getEnvironmentStatus'>;
type Target = Status['targets'][number];

const LABEL_WIDTH = 13;
/** `sha256:` and so many digits tell digests apart in 80 columns. */
const DIGEST_LENGTH = 'sha256:'.length + 12;

export const orchEnvStatus: CommandSpec = {
  path: ['orch', 'env', 'status'],
  summary: 'What an environment runs, since when, and what is going on there',
  kind: 'read',
  positionals: [{ name: 'environment', summary: 'its name' }],
  options: [{ flags: '--detailed', summary: 'with every target' }],
  examples: ['stella orch env status prod --detailed'],
  async run({ connect, show }, { positionals, options }) {
    const { client } = await connect();
    const parameters = { environment: positional(positionals, 0) };
    const status = await client.call('getEnvironmentStatus', { parameters });
    const isDetailed = isSet(options, 'detailed');
    const text = (nowMs: number): string => describe(status, { nowMs, isDetailed }).join('\n');
    show(textView({ name: status.environment.name, data: status, text }));
    return undefined;
  },
};

interface Look {
  readonly nowMs: number;
  readonly isDetailed: boolean;
}

function describe({ environment, targets, locks, promotions }: Status, { nowMs, isDetailed }: Look): string[] {
  const { name, state, releasedAt, stop, freeze, debts } = environment;
  const release = releaseWords(environment).replace(/^-$/, 'none yet');
  const since = releasedAt === null ? '' : `, verified ${relativeTo(nowMs, releasedAt)}`;
  return [
    line('Environment', name),
    line('Release', `${release}  ${state}${since}`),
    line('Targets', summaryOf(targets)),
    ...(isDetailed ? targets.flatMap((one) => targetLines(one, nowMs)) : []),
    ...(stop === null
      ? []
      : [line('Stopped', `${relativeTo(nowMs, stop.at)}: ${stop.message}`), line('Cure', stop.cure)]),
    ...(freeze === null
      ? []
      : [line('Frozen', `${freeze.by === null ? 'as planned' : `by ${freeze.by}`}: ${freeze.reason}`)]),
    ...debts.map((debt) => line('Debt', `gate '${debt.gate}' is still to pass, of ${debt.promotionId}`)),
    ...locks
      .filter((lock) => lock.mode === 'exclusive')
      .map((lock) => line('Lock', `${lock.id}${lock.isStale ? ' STALE' : ''}, in ${lock.step} of ${lock.promotionId}`)),
    ...promotions.map((one) => line('Promotion', `${one.id}\n${' '.repeat(LABEL_WIDTH)}${onItsWay(one)}`)),
    ...cureOf(environment, targets),
  ];
}

function onItsWay({ kind, release, status, step }: Status['promotions'][number]): string {
  return `${kind === 'promote' ? '' : `${kind} `}${release.name}  ${status} in ${step}`;
}

function summaryOf(targets: readonly Target[]): string {
  const good = targets.filter((one) => one.state === 'as_promised').length;
  return `${good} of ${targets.length} run what is promised, as last verified`;
}

function targetLines({ target, component, state, seen, seenAt, message, operation }: Target, nowMs: number): string[] {
  const when = seenAt === null ? '' : `, seen ${relativeTo(nowMs, seenAt)}`;
  const digest = seen === null ? '' : `  ${seen.slice(0, DIGEST_LENGTH)}`;
  const isWell = state === 'as_promised' || state === 'untouched';
  return [
    line('', `${target} (${component})  ${state}${digest}${when}`),
    ...(operation === null
      ? []
      : [line('', `  by ${operation.by.name}: ${operation.purpose} of ${operation.promotionId}`)]),
    ...(isWell || message === '' ? [] : [line('', `  ${message}`)]),
  ];
}

/** Not whole: the way back, and the look at what really runs. */
function cureOf({ name, state }: Status['environment'], targets: readonly Target[]): string[] {
  if (state === 'whole' || targets.every((one) => one.state === 'untouched')) return [];
  return [
    line('See', `stella orch artifacts list --env ${name}`),
    line('Way back', `stella rollback start --env ${name}`),
  ];
}

function line(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${text}`;
}
