/** May a target on an engine be worked on? Looks at host, engine, room, secrets and fence; changes nothing that runs. */
import { AppError, formatFence, isAppError, type ProbeCode, type TargetHolding } from '@stella/domain';
import type { DockerEngine } from '../../ports/docker-engine.ts';
import type { ProbeAnswer, TargetCall } from '../../ports/target.ts';
import type { CallScope } from '../call-scope.ts';
import { checkStatePlace } from '../command-place.ts';
import { healthPrograms } from '../health-check.ts';
import { probeOnHost } from '../probe-on-host.ts';
import type { StageTimer } from '../stage-timer.ts';
import { lackingPrograms, programsCode, wordsOfPrograms } from '../target-program.ts';
import { type EnginePlace, withEngine } from './engine-session.ts';
import { type EngineParts, programPlaceOf } from './engine-target.ts';
import { readSecrets } from './read-secrets.ts';

/** Of the engine that Debian 12 has; all that we ask is in it. */
const API_VERSION_MIN = '1.41';
/** With less no image comes in. */
const FREE_BYTES_MIN = 64 * 1_048_576;
const BYTES_PER_MIB = 1_048_576;
const DF_TIMEOUT_MS = 5_000;
const DF_BYTES_MAX = 8_192;

export interface ProbeDeps {
  readonly parts: EngineParts;
  /** Throws `target.in_the_way` when what the target would make is there, and somebody else's. */
  readonly checkOwn: (engine: DockerEngine) => Promise<void>;
  /** Programs that the kind needs beside `docker`: answers in words which are there, throws `target.program_missing`. */
  readonly findPrograms?: (scope: CallScope) => Promise<string>;
  /** Name → reference of what a deploy needs. */
  readonly secrets: Readonly<Record<string, string>>;
}

export function probeEngine(deps: ProbeDeps, call: TargetCall): Promise<ProbeAnswer> {
  const { definition, engine, deps: around } = deps.parts;
  const place = { clock: around.clock, target: definition.name, host: engine.host };
  return probeOnHost(place, call, (scope, timer) => look(deps, timer, scope));
}

async function look(
  deps: ProbeDeps,
  timer: StageTimer,
  scope: CallScope,
): Promise<{ readonly message: string; readonly holds: TargetHolding | null }> {
  const { engine: place, fence, definition } = deps.parts;
  let words = '';
  await withEngine(place, scope, async (engine) => {
    words = await lookAtEngine(deps, timer, { engine, scope });
  }).catch(async (error: unknown) => {
    if (timer.stages.some((one) => one.outcome === 'failed')) throw error;
    // It was lost before the first answer, which is the engine's stage.
    await timer.run('engine', engineCode, () => Promise.reject(error));
  });
  await lookAtPrograms(deps, timer, scope);
  await lookAtSecrets(deps, timer);
  let holds: TargetHolding | null = null;
  await timer.run('fence', fenceCode, async () => {
    // The script makes the directory to see whether it can.
    checkStatePlace(deps.parts.deps, definition);
    const found = await fence.probe(scope);
    if (found.missing.length > 0) throw missing(definition.name, found.missing);
    holds = found.holds;
    return found.holds === null ? 'holds no fence yet' : `holds fence ${formatFence(found.holds.fence)}`;
  });
  return { message: words, holds };
}

async function lookAtPrograms({ parts, findPrograms }: ProbeDeps, timer: StageTimer, scope: CallScope): Promise<void> {
  const { definition, deps } = parts;
  const argvs = healthPrograms(definition.health);
  if (findPrograms === undefined && argvs.length === 0) return;
  await timer.run('programs', programsCode, async () => {
    const found = await findPrograms?.(scope);
    const lacking = await lackingPrograms(deps, programPlaceOf(parts), argvs, scope);
    const words = wordsOfPrograms(definition.name, lacking);
    return found ?? words;
  });
}

async function lookAtSecrets({ parts: { definition, deps }, secrets }: ProbeDeps, timer: StageTimer): Promise<void> {
  if (Object.keys(secrets).length === 0) return;
  await timer.run(
    'auth',
    () => 'auth.secret_missing',
    async () => `${Object.keys(await readSecrets(deps, definition.name, secrets)).length} secrets are there`,
  );
}

async function lookAtEngine(
  { parts: { engine: place }, checkOwn }: ProbeDeps,
  timer: StageTimer,
  { engine, scope }: { readonly engine: DockerEngine; readonly scope: CallScope },
): Promise<string> {
  const { definition, host } = place;
  let words = '';
  let apiVersion = '';
  await timer.run('engine', engineCode, async () => {
    const facts = await engine.facts();
    await checkOwn(engine);
    ({ apiVersion } = facts);
    words = `Docker ${facts.version} on ${facts.os}/${facts.architecture} answers`;
    return words;
  });
  await timer.run(
    'version',
    () => 'version.old',
    () => {
      if (isAtLeast(apiVersion, API_VERSION_MIN)) return Promise.resolve(`API ${apiVersion}`);
      const details = { target: definition.name, actual: apiVersion, expected: API_VERSION_MIN };
      return Promise.reject(new AppError('target.engine_old', { details }));
    },
  );
  await timer.run('disk', diskCode, async () => {
    const freeBytes = await freeAt(await engine.storePath(), { host, scope });
    if (freeBytes === null) return 'the host does not say how much is free';
    if (freeBytes >= FREE_BYTES_MIN) return `${Math.floor(freeBytes / BYTES_PER_MIB)} MiB free`;
    const message = `${Math.floor(freeBytes / BYTES_PER_MIB)} MiB are free where the engine keeps images`;
    throw new AppError('target.disk_full', { details: { target: definition.name, message } });
  });
  return words;
}

/** `df -P`, POSIX: the fourth column of the second line, in KiB. Null where it may not look, or the engine is elsewhere. */
async function freeAt(
  path: string,
  { host, scope }: { readonly host: EnginePlace['host']; readonly scope: CallScope },
): Promise<number | null> {
  const { exitCode, stdout } = await host.run(['df', '-Pk', path], {
    timeoutMs: DF_TIMEOUT_MS,
    signal: scope.signal,
    outputBytesMax: DF_BYTES_MAX,
  });
  const free = Number(stdout.trim().split('\n')[1]?.split(/\s+/)[3] ?? Number.NaN);
  return exitCode === 0 && Number.isFinite(free) ? free * 1_024 : null;
}

function isAtLeast(version: string, min: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minMajor = 0, minMinor = 0] = min.split('.').map(Number);
  return major > minMajor || (major === minMajor && minor >= minMinor);
}

function missing(target: string, programs: readonly string[]): AppError {
  const message = `its host lacks ${programs.join(', ')}`;
  return new AppError('target.engine_refused', { details: { target, message } });
}

function engineCode(error: unknown): ProbeCode {
  if (isAppError(error, 'target.engine_forbidden')) return 'engine.forbidden';
  if (isAppError(error, 'target.denied')) return 'engine.denied';
  if (isAppError(error, 'target.in_the_way')) return 'engine.in_the_way';
  if (isAppError(error, 'target.program_missing')) return 'programs.missing';
  return 'engine.down';
}

function fenceCode(error: unknown): ProbeCode {
  return isAppError(error, 'target.directory_forbidden') ? 'path.forbidden' : 'fence.unreadable';
}

function diskCode(error: unknown): ProbeCode {
  return isAppError(error, 'target.disk_full') ? 'disk.full' : 'disk.error';
}
