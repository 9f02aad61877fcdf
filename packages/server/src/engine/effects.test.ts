/** What the engine makes of the answers of targets and gates, each of which it distrusts. */
import { makeDefinition, makeHttpGate, makeRelease, makeStage, makeTarget } from '@stella/testkit';
import {
  AppError,
  type AttemptPurpose,
  type FreshProbe,
  type ProbeStage,
  type PromotionSnapshot,
  type Step,
} from '@stella/domain';
import { describe, expect, it } from 'vitest';
import type { EffectResult } from '../ports/engine-store.ts';
import type { GateAnswer } from '../ports/gate.ts';
import { NO_METRICS } from '../ports/metrics.ts';
import type { Registry } from '../ports/registry.ts';
import type { Target, TargetCall } from '../ports/target.ts';
import { nodeClock } from '../system/node-clock.ts';
import { type EffectDeps, makeEffectRunner } from './effects.ts';

const DIGEST = makeRelease(5).components[0]?.digest ?? null;
const fence = { epoch: 1, n: 1 };
const holds = { fence, operation: { fence, operationId: 'op' } };

function refuse(): never {
  throw new Error('not asked for in this test');
}

const STAGES: readonly ProbeStage[] = [
  { stage: 'disk', outcome: 'ok', durationMs: 3, code: null, detail: '9 MiB free' },
];

const TARGET: Target = {
  probe: () => Promise.resolve({ outcome: 'ok', message: 'can be written', holds, stages: STAGES }),
  observe: () =>
    Promise.resolve({ outcome: 'ok', observation: { digest: DIGEST, isHealthy: true, message: '', holds } }),
  seal: () => Promise.resolve({ outcome: 'sealed', last: null }),
  deploy: refuse,
  rollback: refuse,
};
const REGISTRY: Registry = { resolve: refuse, readDocument: refuse, readBlob: refuse };

interface RunOptions extends Partial<Pick<EffectDeps, 'askGate' | 'registry' | 'noteProbe'>> {
  readonly timeoutMs?: number;
}

const STEP_BY_PURPOSE: Partial<Record<AttemptPurpose, Step>> = {
  precheck_target: 'precheck',
  precheck_artifact: 'precheck',
  gate: 'evaluate_gates',
  deploy: 'deploy',
};

/** Runs the one open effect of a promotion that was played up to that step. */
async function run(
  purpose: AttemptPurpose,
  target: Partial<Target>,
  { askGate = breaks, timeoutMs = 5_000, registry = REGISTRY, noteProbe = noLog }: RunOptions = {},
): Promise<EffectResult> {
  const definition = makeDefinition({ gates: [makeHttpGate()], targets: [makeTarget()] });
  const stage = makeStage({ definition });
  const id = stage.create();
  stage.play(id, STEP_BY_PURPOSE[purpose] ?? 'verify');
  const snapshot: PromotionSnapshot = stage.of(id);
  const attempt = snapshot.attempts.find((one) => one.purpose === purpose && one.result === null);
  if (!attempt) throw new Error(`no ${purpose} is open`);
  const runEffect = makeEffectRunner({
    clock: nodeClock,
    logger: { debug: noLog, info: noLog, warn: noLog, error: noLog, child: refuse },
    metrics: NO_METRICS,
    registry,
    openTarget: () => ({ ...TARGET, ...target }),
    askGate,
    askJudge: () => Promise.reject(new Error('nobody is asked')),
    noteProbe,
  });
  return runEffect({ attempt, snapshot, timeoutMs, signal: new AbortController().signal });
}

function breaks(): Promise<GateAnswer> {
  return Promise.reject(new Error('the evaluator broke'));
}

function noLog(): void {
  // Tests look at answers.
}

const observed = (patch: { digest?: typeof DIGEST; isHealthy?: boolean }): Partial<Target> => ({
  observe: () =>
    Promise.resolve({
      outcome: 'ok',
      observation: { digest: DIGEST, isHealthy: true, message: 'as seen', holds, ...patch },
    }),
});

describe('an effect', () => {
  it('verifies what a target itself reports', async () => {
    expect(await run('verify', {})).toMatchObject({ outcome: 'succeeded', digest: DIGEST });
  });

  it('fails with target.unhealthy or target.wrong_digest when the target says so', async () => {
    const unhealthy = await run('verify', observed({ isHealthy: false }));
    expect(unhealthy).toMatchObject({ outcome: 'failed', code: 'target.unhealthy', message: 'as seen' });
    expect(await run('verify', observed({ digest: null }))).toMatchObject({ code: 'target.wrong_digest' });
  });

  it('is refused with target.fence_stale when a newer fence is there', async () => {
    const deploy = (): ReturnType<Target['deploy']> =>
      Promise.resolve({ outcome: 'refused', held: { epoch: 1, n: 9 }, message: 'a newer fence 1.9 is there' });
    expect(await run('deploy', { deploy })).toMatchObject({ outcome: 'refused', code: 'target.fence_stale' });
  });

  it('says by itself that its deadline has come, and is aborted only when it does not', async () => {
    const timeoutMs = 100;
    const slow = (_gate: unknown, _question: unknown, call: TargetCall): Promise<GateAnswer> =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve({ outcome: 'timeout', code: 'gate.timeout', message: '' }), timeoutMs);
        call.signal.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve({ outcome: 'error', code: 'gate.error', message: 'aborted' });
        });
      });
    expect(await run('gate', {}, { askGate: slow, timeoutMs })).toMatchObject({ outcome: 'timeout' });
    const deaf = (): Promise<GateAnswer> => new Promise(() => undefined);
    expect(await run('gate', {}, { askGate: deaf, timeoutMs })).toMatchObject({ outcome: 'timeout' });
  });

  it('is an error, and never lost, when the other side throws', async () => {
    const deploy = (): ReturnType<Target['deploy']> => Promise.reject(new Error('a bug in the target'));
    expect(await run('deploy', { deploy })).toMatchObject({ outcome: 'error' });
    expect(await run('gate', {})).toMatchObject({ outcome: 'error' });
  });

  it('notes what a probed target and an asked registry looked like, whether they answered or not', async () => {
    const noted: FreshProbe[] = [];
    const noteProbe = (probe: FreshProbe): void => void noted.push(probe);
    await run('precheck_target', {}, { noteProbe });
    expect(noted.at(-1)).toMatchObject({ subject: { kind: 'target' }, isOk: true, stages: STAGES });
    const denies = (): Promise<never> =>
      Promise.reject(new AppError('registry.denied', { details: { registry: 'r', repository: 'shop' } }));
    await run('precheck_artifact', {}, { noteProbe, registry: { ...REGISTRY, readDocument: denies } });
    expect(noted.at(-1)).toMatchObject({
      subject: { kind: 'registry' },
      isOk: false,
      stages: [{ stage: 'auth', code: 'auth.refused' }],
    });
  });
});
