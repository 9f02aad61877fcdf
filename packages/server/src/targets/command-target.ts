/**
 * The `command` target: programs of the user deploy, roll back and observe, on this machine or over SSH, inside of the fence
 * of `fenced-host.ts`. What runs is what `observe` prints, after a deploy, too: an exit code alone promises nothing.
 */
import { AppError, type CommandTargetDefinition, type Digest, isDigest, type ReleaseComponent } from '@stella/domain';
import type { Observation, ObserveAnswer, OperationAnswer, SealAnswer, Target, TargetCall } from '../ports/target.ts';
import type { HostArgv, HostProgram } from '../ports/target-host.ts';
import { type CallScope, withinCall } from './call-scope.ts';
import { checkStatePlace, type CommandPlace } from './command-place.ts';
import { probeCommandTarget } from './command-target-probe.ts';
import { makeFencedHost, type Operation } from './fenced-host.ts';
import { checkOperationId } from './files/files-place.ts';
import { checkHealth } from './health-check.ts';
import type { TargetDeps } from './target-deps.ts';
import { toErroredAnswer, toOperationAnswer } from './target-errors.ts';
import { howItEnded, lastWords, toProgramArgv } from './target-program.ts';

const OUTPUT_BYTES_MAX = 1_048_576;
const OBSERVE_TIMEOUT_MS = 60_000;

/**
 * Tells how the user's program ended while the lock is still held, and waits until that was recorded; the program itself
 * reads nothing. The mark names the operation, which the program's output does not end with by chance.
 */
const HOLD = '"$@" </dev/null 2>&1; printf "\\n%s %s\\n" "$STELLA_OPERATION" "$?"; exec cat >/dev/null';
/** Of a program's output, its end is kept for messages. */
const KEPT_LENGTH = 8_192;

export function openCommandTarget(definition: CommandTargetDefinition, environment: string, deps: TargetDeps): Target {
  const target = definition.name;
  const host = deps.openHost(definition.host ?? null, target);
  const stateDirectory = definition.stateDirectory ?? `targets/${environment}/${target}`;
  const place: CommandPlace = {
    definition,
    environment,
    host,
    fenced: makeFencedHost(host, { target, stateDirectory }),
  };
  const within = { clock: deps.clock, target };
  const operate = (verb: 'deploy' | 'rollback', call: TargetCall, wish: OperationWish): Promise<OperationAnswer> =>
    withinCall<OperationAnswer>(
      { ...within, call },
      (error) => toOperationAnswer(error, target),
      (scope) => apply(deps, place, { ...wish, verb }, scope),
    );
  return {
    probe: (call) => probeCommandTarget(deps, place, call),
    observe: (call) =>
      withinCall<ObserveAnswer>(
        { ...within, call },
        (error) => toErroredAnswer(error, target),
        async (scope) => ({ outcome: 'ok', observation: await observe(deps, place, scope) }),
      ),
    seal: (call, fence) =>
      withinCall<SealAnswer>(
        { ...within, call },
        (error) => toErroredAnswer(error, target),
        (scope) => {
          checkStatePlace(deps, definition);
          return place.fenced.seal(scope, fence);
        },
      ),
    deploy: (call, fence, operationId, component) => operate('deploy', call, { fence, operationId, component }),
    rollback: (call, fence, operationId, component) => operate('rollback', call, { fence, operationId, component }),
  };
}

interface OperationWish extends Operation {
  readonly component: ReleaseComponent;
}

async function apply(
  deps: TargetDeps,
  place: CommandPlace,
  { verb, component, ...operation }: OperationWish & { readonly verb: 'deploy' | 'rollback' },
  scope: CallScope,
): Promise<OperationAnswer> {
  const { definition, fenced } = place;
  scope.check();
  checkOperationId(operation.operationId);
  checkStatePlace(deps, definition);
  const argv = (verb === 'rollback' ? definition.rollback : undefined) ?? definition.deploy;
  const program = await toProgramArgv(deps, place, argv, { action: verb, digest: component.digest });
  // What is not there any more is found out before anything was changed.
  await deps.registry.readDocument(component.source, component.digest, scope.signal);
  const held: HostArgv = ['sh', '-c', HOLD, 'stella', ...program];
  return fenced.apply(scope, operation, held, async (running) => {
    const { exitCode, said } = await readEnd(running, operation.operationId);
    if (exitCode === null) throw interrupted(definition.name, `${argv[0]} was ended before it was done`);
    if (exitCode !== 0) {
      const message = `${argv[0]}: exit code ${exitCode} ${lastWords(said)}`.trim();
      return { outcome: 'failed', code: 'target.command_failed', message };
    }
    const digest = await observeDigest(deps, place, scope);
    if (digest === component.digest) return { outcome: 'succeeded', digest, message: `${argv[0]} brought it in` };
    const message = `${argv[0]} said that it is done, and ${digest ?? 'nothing'} runs`;
    return { outcome: 'failed', code: 'target.wrong_digest', message };
  });
}

/** The last line of `HOLD`, the operation and an exit code; without one the program, or the connection, was ended before. */
export async function readEnd(
  { stream }: HostProgram,
  operationId: string,
): Promise<{ readonly exitCode: number | null; readonly said: string }> {
  let said = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    said = `${said}${String(chunk)}`.slice(-KEPT_LENGTH);
    const begin = said.lastIndexOf(`\n${operationId} `);
    const code = begin === -1 ? null : /^\d{1,3}\n$/.exec(said.slice(begin + operationId.length + 2));
    if (code) return { exitCode: Number(code[0]), said: said.slice(0, begin) };
  }
  return { exitCode: null, said };
}

async function observe(deps: TargetDeps, place: CommandPlace, scope: CallScope): Promise<Observation> {
  const { definition, fenced } = place;
  const digest = await observeDigest(deps, place, scope);
  const holds = await fenced.holds(scope);
  if (digest === null) return { digest, isHealthy: false, message: 'nothing runs', holds };
  return { digest, ...(await checkHealth(deps, definition.health, { place, digest }, scope)), holds };
}

/** Null: it printed nothing. Throws `target.command_failed` for anything that is neither. */
async function observeDigest(deps: TargetDeps, place: CommandPlace, scope: CallScope): Promise<Digest | null> {
  const { definition, host } = place;
  const argv = await toProgramArgv(deps, place, definition.observe, { action: 'observe', digest: '' });
  scope.check();
  const { stdout, stderr, ...end } = await host.run(argv, {
    timeoutMs: Math.min(OBSERVE_TIMEOUT_MS, scope.timeoutMs),
    signal: scope.signal,
    outputBytesMax: OUTPUT_BYTES_MAX,
  });
  scope.check();
  const { exitCode } = end;
  const said = stdout.trim();
  if (exitCode === 0 && said === '') return null;
  if (exitCode === 0 && isDigest(said)) return said;
  const why = exitCode === 0 ? `printed "${lastWords(said)}", no digest` : howItEnded(end);
  const message = `${definition.observe[0]} ${why} ${lastWords(stderr)}`.trim();
  throw new AppError('target.command_failed', { details: { target: definition.name, message } });
}

function interrupted(target: string, message: string): AppError {
  return new AppError('target.interrupted', { details: { target, message } });
}
