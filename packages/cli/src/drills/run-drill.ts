/** Plays a drill through: the verdict of the diagnosis, the first remedy as it is printed, and the promotion's completion. */
import { execFile } from 'node:child_process';
import type { Answer, Client } from '@stella/contract/client';
import { isAppError, isTerminal } from '@stella/domain/client';
import { type Drill, drillId } from './drill.ts';
import { variablesOfOwn } from './own/own-orchestrator.ts';
import { heirOf } from './heir.ts';
import { type DrillDeps, startDrill } from './start-drill.ts';
import { stopDrill } from './stop-drill.ts';
import { unexpected } from './unexpected.ts';
import { waitFor, type World } from './world.ts';

type Diagnosis = Answer<'diagnosePromotion'>;
type Remedy = Diagnosis['causes'][number]['remedies'][number];

/** A service that is started may have to recover its database. */
const COMMAND_TIMEOUT_MS = 150_000;
/** Beyond the time after which a promotion counts as stalled. A target that is busy is tried three times, for 40 s each. */
const VERDICT_TIMEOUT_MS = 240_000;
const COMPLETION_TIMEOUT_MS = 180_000;

export interface DrillResult {
  /** As `drill list` names it. */
  readonly drill: string;
  readonly cause: string;
  /** The drill could be played here. */
  readonly isPlayed: boolean;
  /** Named first, before any other fault. */
  readonly isNamed: boolean;
  /** The first remedy was carried out, and the promotion completed. */
  readonly isCured: boolean;
  /** Kind of the first remedy, and its command as printed. */
  readonly remedy: string;
  readonly seconds: number;
  /** What went otherwise; empty when nothing did. */
  readonly message: string;
}

export interface RunDeps extends DrillDeps {
  /** For commands as they are printed: who asks which server. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stuckAfterMs: number;
}

/** Never throws: what goes wrong is told in the result. */
export async function runDrill(deps: RunDeps, drill: Drill): Promise<DrillResult> {
  const startedAtMs = Date.now();
  const found = { isPlayed: true, isNamed: false, isCured: false, remedy: '', message: '' };
  try {
    const { state, world, promotionId } = await startDrill(deps, drill);
    try {
      const first = await untilNamed({ deps, drill, world }, promotionId);
      found.isNamed = true;
      const [remedy] = first.causes[0]?.remedies ?? [];
      if (!remedy) throw unexpected('it has no remedy');
      found.remedy = remedy.command === null ? remedy.kind : `${remedy.kind}: ${remedy.command}`;
      refuseEndlessWait(first, remedy);
      await carryOut({ deps, drill, world }, remedy);
      await untilCured({ deps, drill, world }, promotionId);
      found.isCured = true;
    } finally {
      await stopDrill(deps, state);
    }
  } catch (error) {
    found.isPlayed = !isAppError(error, 'drill.needs');
    found.message = error instanceof Error ? error.message : String(error);
  }
  return {
    drill: drillId(drill),
    cause: drill.cause,
    ...found,
    seconds: Math.round((Date.now() - startedAtMs) / 1_000),
  };
}

/** The first verdict that is more than progress; another cause before it is a mistake of the diagnosis. */
async function untilNamed({ deps, drill, world }: Play, promotion: string): Promise<Diagnosis> {
  const { cause, needs = [] } = drill;
  const { client } = world;
  let last: Diagnosis | null = null;
  const timeoutMs = VERDICT_TIMEOUT_MS + (needs.includes('stuck.after') ? deps.stuckAfterMs : 0);
  await waitFor(
    async () => {
      last = await client.call('diagnosePromotion', { parameters: { promotion } });
      const code = last.causes[0]?.code;
      if (code === cause) return !(await isAboutToEnd(client, last, needs));
      if (last.verdict === 'stalled' || (last.verdict === 'ended' && code !== undefined)) {
        throw unexpected(`the diagnosis names ${code ?? 'nothing'} first: ${last.summary}`);
      }
      return false;
    },
    `the diagnosis names ${cause}`,
    timeoutMs,
  );
  if (last === null) throw unexpected('no diagnosis');
  return last;
}

/** A deploy or a verification that was told no ends in the next moment: until then nobody has anything to do. */
async function isAboutToEnd(
  client: Client,
  { verdict, causes, promotionId }: Diagnosis,
  needs: NonNullable<Drill['needs']>,
): Promise<boolean> {
  const isExternal = causes[0]?.remedies[0]?.kind === 'external';
  if (verdict === 'ended' || !isExternal || needs.includes('stuck.after')) return false;
  const { step } = await client.call('getPromotion', { parameters: { promotion: promotionId } });
  return step === 'deploy' || step === 'verify' || step === 'rollback';
}

function refuseEndlessWait({ verdict }: Diagnosis, { kind, until }: Remedy): void {
  if (kind !== 'wait') return;
  if (verdict !== 'waiting') throw unexpected(`a wait is told as ${verdict}`);
  if (until === null || Date.parse(until) <= Date.now()) throw unexpected(`a wait without an end: ${until ?? 'none'}`);
}

interface Play {
  readonly deps: RunDeps;
  readonly drill: Drill;
  readonly world: World;
}

/** A command is carried out by itself; outside something is mended first; a wait is waited for. */
async function carryOut({ deps, drill, world }: Play, { kind, command }: Remedy): Promise<void> {
  if (kind !== 'command') await drill.repair?.(world);
  if (kind === 'wait' || command === null) return;
  const said = await runPrinted(command, environmentIn(world, deps, drill), world.place.directory);
  await drill.follow?.(world, said);
}

/** Where it has an orchestrator of its own, commands are meant for that one. */
function environmentIn(world: World, { env }: RunDeps, { own }: Drill): RunDeps['env'] {
  if (own === undefined) return env;
  const foreign = Object.entries(env).filter(([name]) => !name.startsWith('STELLA_'));
  return { ...Object.fromEntries(foreign), ...variablesOfOwn(world.own()) };
}

/** In a shell, as it is, where `stella` is this program; what it writes goes away with the drill. */
function runPrinted(command: string, env: RunDeps['env'], cwd: string): Promise<string> {
  const prelude = 'stella() { "$DRILL_NODE" "$DRILL_PROGRAM" "$@"; }';
  const [, program = ''] = process.argv;
  const own = { ...env, DRILL_NODE: process.execPath, DRILL_PROGRAM: program };
  return new Promise((resolve, reject) => {
    execFile(
      'sh',
      ['-c', `${prelude}\n${command}`],
      { env: own, cwd, timeout: COMMAND_TIMEOUT_MS },
      (error, out, err) => {
        if (error) reject(unexpected(`${command}: ${err.trim() || error.message}`));
        else resolve(out);
      },
    );
  });
}

/**
 * The promotion has completed, or one that takes its place: that was made to retry it, or, where what was released can never
 * be promoted, that of the release which was made instead. A newer promotion that happens to complete there is no cure.
 */
async function untilCured({ drill, world }: Play, promotion: string): Promise<void> {
  await waitFor(
    async () => {
      const own = await world.client.call('getPromotion', { parameters: { promotion } });
      if (own.status === 'completed') return true;
      if (!isTerminal(own.status)) return false;
      const heir = await heirOf(world.client, { promotion, environment: world.name, drill });
      if (heir === null) return false;
      if (heir.status !== 'completed' && isTerminal(heir.status)) {
        throw unexpected(`${heir.id}, which took its place, ended as ${heir.status}`);
      }
      return heir.status === 'completed';
    },
    `${promotion} completes`,
    COMPLETION_TIMEOUT_MS,
  );
}

/** Some at a time, in order of the list. */
export async function runDrills(
  deps: RunDeps,
  drills: readonly Drill[],
  order: { readonly parallelCount: number; readonly tell: (result: DrillResult) => void },
): Promise<readonly DrillResult[]> {
  // Those with an orchestrator of their own take longest.
  const waiting = [...drills].sort((left, right) => Number(right.own !== undefined) - Number(left.own !== undefined));
  const results = new Map<string, DrillResult>();
  const work = async (): Promise<void> => {
    for (let drill = waiting.shift(); drill; drill = waiting.shift()) {
      const result = await runDrill(deps, drill);
      results.set(result.drill, result);
      order.tell(result);
    }
  };
  await Promise.all(Array.from({ length: order.parallelCount }, work));
  return drills.flatMap((drill) => results.get(drillId(drill)) ?? []);
}
