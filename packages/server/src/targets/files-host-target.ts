/**
 * The `files` target on a host over SSH: the same directory as on this machine (`files/files-place.ts`), worked on by the
 * steps of `files/host-script.ts` inside of the fence of `fenced-host.ts`, which lies in the directory that it guards.
 */
import type { FilesTargetDefinition } from '@stella/domain';
import type { Observation, ObserveAnswer, OperationAnswer, SealAnswer, Target, TargetCall } from '../ports/target.ts';
import { type CallScope, withinCall } from './call-scope.ts';
import { type FencedHost, makeFencedHost, type Operation } from './fenced-host.ts';
import { probeFencedHost } from './fenced-host-probe.ts';
import { type BringIn, bringIn } from './files/bring-in.ts';
import type { UnpackLimits } from './files/entry-path.ts';
import { checkOperationId } from './files/files-place.ts';
import { directoryArgv } from './files/host-script.ts';
import { type HostSession, makeHostSession, withHostSession } from './files/host-session.ts';
import { lookAtCurrent } from './files/look-at-current.ts';
import { checkHealth, healthPrograms } from './health-check.ts';
import type { TargetDeps } from './target-deps.ts';
import { toErroredAnswer, toOperationAnswer } from './target-errors.ts';
import { lackingPrograms, type ProgramPlace } from './target-program.ts';

interface Given {
  readonly deps: TargetDeps;
  readonly limits: UnpackLimits;
}

interface Parts extends Given, ProgramPlace {
  readonly definition: FilesTargetDefinition;
  readonly fence: FencedHost;
}

export function openFilesHostTarget(
  definition: FilesTargetDefinition,
  environment: string,
  { deps, limits }: Given,
): Target {
  const { name: target, directory } = definition;
  const host = deps.openHost(definition.host ?? null, target);
  const fence = makeFencedHost(host, { target, stateDirectory: `${directory}/.stella/fence` });
  const parts: Parts = { deps, definition, environment, limits, host, fence };
  const within = { clock: deps.clock, target };
  const operate: Target['deploy'] = (call, fenceOf, operationId, component) =>
    withinCall<OperationAnswer>(
      { ...within, call },
      (error) => toOperationAnswer(error, target),
      (scope) => carryOut(parts, { operation: { fence: fenceOf, operationId }, component, scope }),
    );
  return {
    probe: (call) => probe(parts, call),
    observe: (call) =>
      withinCall<ObserveAnswer>(
        { ...within, call },
        (error) => toErroredAnswer(error, target),
        async (scope) => ({ outcome: 'ok', observation: await observe(parts, scope) }),
      ),
    seal: (call, sealing) =>
      withinCall<SealAnswer>(
        { ...within, call },
        (error) => toErroredAnswer(error, target),
        async (scope) => {
          await prepare(parts, scope);
          return fence.seal(scope, sealing);
        },
      ),
    deploy: operate,
    rollback: operate,
  };
}

function beside<Value>(
  { host, definition: { name: target, directory } }: Parts,
  scope: CallScope,
  run: (session: HostSession) => Promise<Value>,
): Promise<Value> {
  return withHostSession(host, { target, directory, scope }, run);
}

/** The directory is there before its fence is, readable for servers of other users. */
async function prepare(parts: Parts, scope: CallScope): Promise<void> {
  await beside(parts, scope, (session) => session.step('prepare'));
}

function probe(parts: Parts, call: TargetCall): ReturnType<Target['probe']> {
  const { deps, definition, host, fence } = parts;
  return probeFencedHost(
    {
      clock: deps.clock,
      target: definition.name,
      host,
      fenced: fence,
      prepare: (scope) => prepare(parts, scope),
      lacking: async (scope) => {
        const said = await beside(parts, scope, (session) => session.step('missing'));
        const own = await lackingPrograms(deps, parts, healthPrograms(definition.health), scope);
        return [...said.split('\n').filter((line) => line !== ''), ...own];
      },
    },
    call,
  );
}

async function observe(parts: Parts, scope: CallScope): Promise<Observation> {
  const { deps, definition, fence } = parts;
  const found = await beside(parts, scope, lookAtCurrent);
  const holds = await fence.holds(scope);
  if (!found.name) return { digest: null, isHealthy: false, message: found.message, holds };
  const { digest } = found.name;
  return { digest, ...(await checkHealth(deps, definition.health, { place: parts, digest }, scope)), holds };
}

interface Wish extends Pick<BringIn, 'component' | 'scope'> {
  readonly operation: Operation;
}

async function carryOut(parts: Parts, wish: Wish): Promise<OperationAnswer> {
  const { definition, fence } = parts;
  const { operation, scope } = wish;
  const { name: target, directory } = definition;
  checkOperationId(operation.operationId);
  await prepare(parts, scope);
  return fence.apply(scope, operation, directoryArgv(directory), async (program) => {
    const session = makeHostSession({ target, program, scope });
    try {
      return await bringIn({ ...parts, ...wish, session });
    } catch (error) {
      // A clear no is recorded while the fence is held, as a success is.
      const answer = toOperationAnswer(error, target);
      if (answer.outcome === 'failed') return answer;
      throw error;
    }
  });
}
