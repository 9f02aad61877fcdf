/** Plays a drill through: the verdict of the diagnosis, the first remedy as it is printed, and the promotion's completion. */
import { execFile } from 'node:child_process';
import type { Answer, Client } from '@stella/contract/client';
import { isAppError, isTerminal } from '@stella/domain/client';
import type { Drill } from './drill.ts';
import { type DrillDeps, startDrill } from './start-drill.ts';
import { stopDrill } from './stop-drill.ts';
import { unexpected, waitFor, type World } from './world.ts';

type Diagnosis = Answer<'diagnosePromotion'>;
type Remedy = Diagnosis['causes'][number]['remedies'][number];

const COMMAND_TIMEOUT_MS = 60_000;
/** Beyond the time after which a promotion counts as stalled. */
const VERDICT_TIMEOUT_MS = 120_000;
const COMPLETION_TIMEOUT_MS = 180_000;

export interface DrillResult {
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
      const first = await untilNamed(deps, drill, promotionId);
      found.isNamed = true;
      const [remedy] = first.causes[0]?.remedies ?? [];
      if (!remedy) throw unexpected('it has no remedy');
      found.remedy = remedy.command === null ? remedy.kind : `${remedy.kind}: ${remedy.command}`;
      refuseEndlessWait(first, remedy);
      await carryOut({ deps, drill, world }, remedy);
      await untilCured(deps.client, promotionId, world.name);
      found.isCured = true;
    } finally {
      await stopDrill(deps, state);
    }
  } catch (error) {
    found.isPlayed = !isAppError(error, 'drill.needs');
    found.message = error instanceof Error ? error.message : String(error);
  }
  return { cause: drill.cause, ...found, seconds: Math.round((Date.now() - startedAtMs) / 1_000) };
}

/** The first verdict that is more than progress; another cause before it is a mistake of the diagnosis. */
async function untilNamed(
  { client, stuckAfterMs }: RunDeps,
  { cause, needs = [] }: Drill,
  promotion: string,
): Promise<Diagnosis> {
  let last: Diagnosis | null = null;
  const timeoutMs = VERDICT_TIMEOUT_MS + (needs.includes('stuck.after') ? stuckAfterMs : 0);
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
  const said = await runPrinted(command, deps.env, world.place.directory);
  await drill.follow?.(world, said);
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

/** The promotion, or one that took its place in the environment, has completed. */
async function untilCured(client: Client, promotion: string, environment: string): Promise<void> {
  await waitFor(
    async () => {
      const own = await client.call('getPromotion', { parameters: { promotion } });
      if (own.status === 'completed') return true;
      if (!isTerminal(own.status)) return false;
      const { items } = await client.call('listPromotions', { query: { environment } });
      const [newest] = items;
      if (!newest || newest.id === promotion) return false;
      if (newest.status !== 'completed' && isTerminal(newest.status)) {
        throw unexpected(`${newest.id}, which took its place, ended as ${newest.status}`);
      }
      return newest.status === 'completed';
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
  const waiting = [...drills];
  const results = new Map<string, DrillResult>();
  const work = async (): Promise<void> => {
    for (let drill = waiting.shift(); drill; drill = waiting.shift()) {
      const result = await runDrill(deps, drill);
      results.set(drill.cause, result);
      order.tell(result);
    }
  };
  await Promise.all(Array.from({ length: order.parallelCount }, work));
  return drills.flatMap(({ cause }) => results.get(cause) ?? []);
}
