/** What looks at targets have found, and what it means for whoever soaks there. */
import {
  makeDefinition,
  makeRelease,
  makeSoakGate,
  makeStage,
  makeWholeEnvironment,
  type Stage,
  TEST_EPOCH_MS,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { TargetObservation } from '../../environment/observation.ts';
import type { TargetBreak } from '../../environment/soundness.ts';
import { digestOf } from '../../values/digest.ts';
import type { PromotionId } from '../../values/ids.ts';
import type { GateRun } from '../promotion.ts';
import { withRelease } from '../scope.ts';

const MINUTE_MS = 60_000;
const SOAK_MS = 10 * MINUTE_MS;
const RELEASE = makeRelease(5);
const OTHER = digestOf('other');

interface Soaking {
  readonly stage: Stage;
  readonly id: PromotionId;
}

/** Release 5 runs in `dev` since the beginning, and soaks there. */
function soak(): Soaking {
  const definition = makeDefinition({ promotesFrom: ['dev'], gates: [makeSoakGate({ durationMs: SOAK_MS })] });
  const stage = makeStage({ definition, predecessors: [makeWholeEnvironment('dev', RELEASE)] });
  const id = stage.create();
  stage.play(id);
  return { stage, id };
}

/** As a look leaves it; of a break that lasts, the target was seen now. */
function find({ stage }: Soaking, lastBreak: TargetBreak | null, patch: Partial<TargetObservation> = {}): void {
  const promised = RELEASE.components[0]?.digest ?? null;
  const isOpen = lastBreak?.untilMs === null;
  const seen = { digest: isOpen ? OTHER : promised, isHealthy: true, seenAtMs: stage.nowMs(), ...patch };
  const driftSinceMs = isOpen && seen.digest !== promised ? lastBreak.sinceMs : null;
  const told = { lookedAtMs: stage.nowMs(), lookedBy: 'host-1', code: '', message: '', unseenSinceMs: null };
  const row = { environment: 'dev', target: 'web-1', promised, driftSinceMs, lastBreak, ...told, ...seen };
  stage.state.observations.set('dev/web-1', row);
}

const breakOf = (sinceMs: number, untilMs: number | null, components = ['web']): TargetBreak => ({
  components,
  sinceMs,
  untilMs,
});

function lookAt({ stage, id }: Soaking, durationMs: number): GateRun | undefined {
  stage.wait(durationMs);
  stage.look(id);
  return stage.of(id).gateRuns[0];
}

describe('a soak', () => {
  it('passes at its time where nothing was found', () => {
    const soaking = soak();
    expect(lookAt(soaking, SOAK_MS - 1)).toMatchObject({ state: 'waiting', dueAtMs: TEST_EPOCH_MS + SOAK_MS });
    expect(lookAt(soaking, 1)).toMatchObject({ state: 'passed' });
  });

  it('waits while a target drifts, past its old time, and says which and since when', () => {
    const soaking = soak();
    soaking.stage.wait(MINUTE_MS);
    find(soaking, breakOf(soaking.stage.nowMs(), null));
    const run = lookAt(soaking, SOAK_MS);
    expect(run).toMatchObject({ state: 'waiting', verdict: null, dueAtMs: null });
    expect(run?.message).toMatch(
      /^the soak in dev was broken: target web-1 runs sha256:.+ instead of sha256:.+, since /,
    );
    expect(soaking.stage.of(soaking.id).promotion.status).toBe('scheduled');
  });

  it('waits while a target is ill', () => {
    const soaking = soak();
    find(soaking, breakOf(TEST_EPOCH_MS, null), { digest: RELEASE.components[0]?.digest ?? null, isHealthy: false });
    expect(lookAt(soaking, 2 * SOAK_MS)?.message).toContain('target web-1 is not healthy');
  });

  it('begins anew when a look has found the target sound, and never passes at its old time', () => {
    const soaking = soak();
    soaking.stage.wait(9 * MINUTE_MS);
    const soundMs = soaking.stage.nowMs();
    find(soaking, breakOf(TEST_EPOCH_MS + MINUTE_MS, soundMs));
    expect(lookAt(soaking, MINUTE_MS)).toMatchObject({ state: 'waiting', dueAtMs: soundMs + SOAK_MS });
    expect(lookAt(soaking, SOAK_MS - MINUTE_MS - 1)).toMatchObject({ state: 'waiting' });
    expect(lookAt(soaking, 1)).toMatchObject({ state: 'passed' });
  });

  it('begins anew with what was verified there since, before any look has said so', () => {
    const soaking = soak();
    find(soaking, breakOf(TEST_EPOCH_MS, null));
    soaking.stage.wait(MINUTE_MS);
    const dev = makeWholeEnvironment('dev', RELEASE);
    soaking.stage.state.environments.set('dev', withRelease(dev, RELEASE, soaking.stage.nowMs()));
    const dueAtMs = TEST_EPOCH_MS + MINUTE_MS + SOAK_MS;
    expect(lookAt(soaking, SOAK_MS - 1)).toMatchObject({ state: 'waiting', dueAtMs });
    expect(lookAt(soaking, 1)).toMatchObject({ state: 'passed' });
  });

  it('minds no target that carries nothing of its release, and no older break than its own beginning', () => {
    const soaking = soak();
    find(soaking, breakOf(TEST_EPOCH_MS, null, ['api']));
    expect(lookAt(soaking, SOAK_MS)).toMatchObject({ state: 'passed' });
    const other = soak();
    find(other, breakOf(TEST_EPOCH_MS - SOAK_MS, TEST_EPOCH_MS - 1));
    expect(lookAt(other, SOAK_MS)).toMatchObject({ state: 'passed' });
  });

  it('names some of many broken targets, and counts the others', () => {
    const soaking = soak();
    find(soaking, breakOf(TEST_EPOCH_MS, null));
    const [row] = soaking.stage.state.observations.values();
    if (!row) throw new Error('nothing was found');
    for (const n of [2, 3, 4, 5]) soaking.stage.state.observations.set(`dev/web-${n}`, { ...row, target: `web-${n}` });
    const message = lookAt(soaking, SOAK_MS)?.message;
    expect(message).toContain('target web-3 runs');
    expect(message).toMatch(/; and 2 more$/);
  });
});
