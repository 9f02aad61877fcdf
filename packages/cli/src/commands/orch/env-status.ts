/** `stella orch env status <environment>`: what runs there, since when, by whom, and what is going on. */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { isSet, positional } from '../../input.ts';
import { textView } from '../../view.ts';
import { releaseWords } from '../environment/release-words.ts';
import { field } from '../promotion/diagnosis-view.ts';
import { ageOf, relativeTo } from '../show-age.ts';

type Status = Answer<'getEnvironmentStatus'>;
type Target = Status['targets'][number];

const LABEL_WIDTH = 13;
/** Targets that are named as drifted without details; the others are counted. */
const DRIFTS_NAMED_MAX = 10;
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
    const text = (nowMs: number): string => describeStatus(status, { nowMs, isDetailed }).join('\n');
    show(textView({ name: status.environment.name, data: status, text }));
    return undefined;
  },
};

interface Look {
  readonly nowMs: number;
  readonly isDetailed: boolean;
}

export function describeStatus(
  { environment, targets, locks, promotions }: Status,
  { nowMs, isDetailed }: Look,
): string[] {
  const { name, state, releasedAt, stop, freeze, debts } = environment;
  const release = releaseWords(environment).replace(/^-$/, 'none yet');
  const since = releasedAt === null ? '' : `, verified ${relativeTo(nowMs, releasedAt)}`;
  return [
    line('Environment', name),
    line('Release', `${release}  ${state}${since}`),
    line('Targets', summaryOf(targets)),
    ...(isDetailed ? targets.flatMap((one) => targetLines(one, nowMs)) : []),
    ...driftLines(targets, nowMs),
    ...(stop === null
      ? []
      : [...folded('Stopped', `${relativeTo(nowMs, stop.at)}: ${stop.message}`), line('Cure', stop.cure)]),
    ...(freeze === null
      ? []
      : folded('Frozen', `${freeze.by === null ? 'as planned' : `by ${freeze.by}`}: ${freeze.reason}`)),
    ...debts.map((debt) => line('Debt', `gate '${debt.gate}' is still to pass, of ${debt.promotionId}`)),
    ...locks
      .filter((lock) => lock.mode === 'exclusive')
      .flatMap((lock) =>
        folded('Lock', `${lock.id}${lock.isStale ? ' STALE' : ''}, in ${lock.step} of ${lock.promotionId}`),
      ),
    ...promotions.map((one) => line('Promotion', `${one.id}\n${' '.repeat(LABEL_WIDTH)}${onItsWay(one)}`)),
    ...cureOf(environment, targets),
  ];
}

function onItsWay({ kind, release, status, step }: Status['promotions'][number]): string {
  return `${kind === 'promote' ? '' : `${kind} `}${release.name}  ${status} in ${step}`;
}

function summaryOf(targets: readonly Target[]): string {
  const good = targets.filter((one) => one.state === 'as_promised').length;
  return `${good} of ${targets.length} run what is promised, as last seen`;
}

/** Also without details: nobody did this on purpose. */
function driftLines(targets: readonly Target[], nowMs: number): string[] {
  const drifts = targets.flatMap(({ target, observation, state }) => {
    const since = state === 'drifted' ? observation?.driftSince : null;
    return since ? [`${target} runs other than what was verified there, for ${ageOf(nowMs, since)}`] : [];
  });
  const more = drifts.length - DRIFTS_NAMED_MAX;
  return [
    ...drifts.slice(0, DRIFTS_NAMED_MAX).flatMap((words) => folded('Drift', words)),
    ...(more > 0 ? [line('', `and ${more} more; see --detailed`)] : []),
  ];
}

function unseenLines({ observation }: Target, nowMs: number): string[] {
  if (!observation?.unseenSince) return [];
  return folded('', `  not seen for ${ageOf(nowMs, observation.unseenSince)}: ${observation.message}`);
}

function targetLines(one: Target, nowMs: number): string[] {
  const { target, component, state, seen, seenAt, message, operation, observation } = one;
  const when = seenAt === null ? '' : `, seen ${relativeTo(nowMs, seenAt)}`;
  const digest = seen === null ? '' : `  ${seen.slice(0, DIGEST_LENGTH)}`;
  const isWell = state === 'as_promised' || state === 'untouched';
  // Where it is not seen, the same message tells why.
  const isTold = observation !== null && observation.unseenSince !== null && message === observation.message;
  return [
    line('', `${target} (${component})  ${state}${digest}${when}`),
    ...(operation === null
      ? []
      : [line('', `  by ${operation.by.name}: ${operation.purpose} of ${operation.promotionId}`)]),
    ...(isWell || isTold || message === '' ? [] : folded('', `  ${message}`)),
    ...unseenLines(one, nowMs),
  ];
}

/** Not whole: the way back, and the look at what really runs. Drifted: what was verified is brought there again. */
function cureOf({ name, state, release }: Status['environment'], targets: readonly Target[]): string[] {
  const back = line('Way back', `stella rollback start --env ${name}`);
  const drifted = targets.filter((one) => one.state === 'drifted');
  if (drifted.length > 0) {
    const components = new Set(targets.flatMap(componentsOf));
    const wishes = drifted.map((one) => againOf(one, components.size === 1));
    const cures = [...new Set(wishes)].map((wish) => line('Cure', `stella deploy --env ${name} --artifact ${wish}`));
    const see = release !== null && drifted.some((one) => componentsOf(one).length > 1);
    return [...cures, ...(see ? [line('Digests', `stella release show ${release.name}`)] : []), back];
  }
  if (state === 'whole' || targets.every((one) => one.state === 'untouched')) return [];
  return [line('See', `stella orch artifacts list --env ${name}`), back];
}

/** Of several components together no single artifact is promised: any one of theirs brings them all. */
function againOf(target: Target, isOnly: boolean): string {
  const [component = '', ...others] = componentsOf(target);
  const digest = others.length > 0 ? '<digest>' : (target.promised?.slice(0, DIGEST_LENGTH) ?? '');
  return isOnly ? digest : `${digest} --component ${component}`;
}

/** They stand with commas on the wire. */
function componentsOf({ component }: Target): readonly string[] {
  return component.split(', ');
}

function line(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${text}`;
}

function folded(label: string, text: string): string[] {
  return field(label, text, LABEL_WIDTH);
}
