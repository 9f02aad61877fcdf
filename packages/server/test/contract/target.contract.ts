/** What every target promises (`ports/target.ts`, safety S4, S10): one suite for each kind. */
import type { Digest, Fence, ReleaseComponent } from '@stella/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Observation, OperationAnswer, Target, TargetCall } from '../../src/ports/target.ts';
import { call as callWithin } from './files-target-fixture.ts';

export interface TargetHarness {
  readonly open: () => Target;
  /** Two releases' component, of different artifacts. */
  readonly components: readonly [ReleaseComponent, ReleaseComponent];
  /** Changes a byte of what runs, behind the target's back. */
  readonly tamper: () => Promise<void>;
  readonly remove: () => void | Promise<void>;
  /** Of each call, for kinds whose work takes longer. */
  readonly callTimeoutMs?: number;
}

const at = (n: number, epoch = 1): Fence => ({ epoch, n });

export function describeTarget(kind: string, make: () => Promise<TargetHarness>): void {
  describe(`a ${kind} target`, () => {
    let harness: TargetHarness;
    let target: Target;
    const call = (): TargetCall => callWithin(harness.callTimeoutMs);
    const first = (): ReleaseComponent => harness.components[0];
    const second = (): ReleaseComponent => harness.components[1];
    const deploy = (n: number, id: string, component: ReleaseComponent): Promise<OperationAnswer> =>
      target.deploy(call(), at(n), id, component);
    const observe = async (): Promise<Observation> => {
      const answer = await target.observe(call());
      if (answer.outcome !== 'ok') throw new Error(answer.message);
      return answer.observation;
    };
    const running = async (): Promise<Digest | null> => (await observe()).digest;

    beforeEach(async () => {
      harness = await make();
      target = harness.open();
    });
    afterEach(() => harness.remove());

    it('can be probed, and shows that nothing runs, before anything was deployed', async () => {
      expect(await target.probe(call())).toMatchObject({ outcome: 'ok' });
      expect(await observe()).toMatchObject({ digest: null, isHealthy: false, holds: null });
    });

    it('runs what was deployed, and says who did it', async () => {
      const answer = await deploy(1, 'op-1', first());
      expect(answer).toMatchObject({ outcome: 'succeeded', digest: first().digest });
      expect(await observe()).toEqual({
        digest: first().digest,
        isHealthy: true,
        message: '',
        holds: { fence: at(1), operation: { fence: at(1), operationId: 'op-1' } },
      });
    });

    it('rolls back to what ran before', async () => {
      await deploy(1, 'op-1', first());
      await deploy(2, 'op-2', second());
      expect(await running()).toBe(second().digest);
      const answer = await target.rollback(call(), at(3), 'op-3', first());
      expect(answer).toMatchObject({ outcome: 'succeeded', digest: first().digest });
      expect(await running()).toBe(first().digest);
    });

    it('refuses a lower fence, and another operation with the same one', async () => {
      await deploy(5, 'op-5', first());
      expect(await deploy(4, 'op-4', second())).toMatchObject({ outcome: 'refused', held: at(5) });
      expect(await deploy(5, 'other', second())).toMatchObject({ outcome: 'refused', held: at(5) });
      expect(await target.deploy(call(), at(9, 0), 'old', second())).toMatchObject({ outcome: 'refused' });
      expect(await running()).toBe(first().digest);
    });

    it('answers the same operation with its recorded result, and does nothing again', async () => {
      const answer = await deploy(1, 'op-1', first());
      await harness.tamper();
      expect(await deploy(1, 'op-1', first())).toEqual(answer);
      expect(await running()).toBeNull();
    });

    it('keeps one of several operations at once, the one with the highest fence', async () => {
      const answers = await Promise.all(
        [3, 1, 4, 2].map((n) => deploy(n, `op-${n}`, n % 2 === 0 ? first() : second())),
      );
      expect(answers[2]).toMatchObject({ outcome: 'succeeded' });
      expect(await observe()).toMatchObject({
        digest: first().digest,
        holds: { fence: at(4), operation: { fence: at(4), operationId: 'op-4' } },
      });
    });

    it('is sealed: tells the last operation, refuses what is older, takes what comes with its fence', async () => {
      await deploy(1, 'op-1', first());
      expect(await target.seal(call(), at(3))).toMatchObject({
        outcome: 'sealed',
        last: { fence: at(1), operationId: 'op-1', result: { outcome: 'succeeded' } },
      });
      expect(await target.seal(call(), at(3))).toMatchObject({ outcome: 'sealed' });
      expect(await target.seal(call(), at(2))).toEqual({ outcome: 'refused', held: at(3) });
      expect(await deploy(2, 'op-2', second())).toMatchObject({ outcome: 'refused', held: at(3) });
      expect(await deploy(3, 'op-3', second())).toMatchObject({ outcome: 'succeeded' });
      expect(await running()).toBe(second().digest);
    });

    it('is sealed before anything was deployed', async () => {
      expect(await target.seal(call(), at(1))).toEqual({ outcome: 'sealed', last: null });
      expect((await observe()).holds).toEqual({ fence: at(1), operation: null });
    });

    it('says what it holds, probed or observed: the highest fence, and the newest operation also under a seal', async () => {
      const holds = async (): Promise<unknown> => {
        const probe = await target.probe(call());
        const { holds: seen } = await observe();
        expect(probe).toMatchObject({ outcome: 'ok', holds: seen });
        return seen;
      };
      expect(await holds()).toBeNull();
      await deploy(1, 'op-1', first());
      expect(await holds()).toEqual({ fence: at(1), operation: { fence: at(1), operationId: 'op-1' } });
      await target.seal(call(), at(3));
      expect(await holds()).toEqual({ fence: at(3), operation: { fence: at(1), operationId: 'op-1' } });
    });

    it('looks instead of remembering: what was changed behind its back is not what was promised', async () => {
      await deploy(1, 'op-1', first());
      await harness.tamper();
      expect(await observe()).toMatchObject({ digest: null, isHealthy: false });
      expect(await deploy(2, 'op-2', first())).toMatchObject({ outcome: 'succeeded' });
      expect(await running()).toBe(first().digest);
    });

    it('fails an artifact that is not there, and goes on running what ran', async () => {
      await deploy(1, 'op-1', first());
      const missing = { ...second(), digest: `sha256:${'0'.repeat(64)}` as Digest };
      expect(await deploy(2, 'op-2', missing)).toMatchObject({ outcome: 'failed', code: 'registry.artifact_missing' });
      expect(await running()).toBe(first().digest);
      expect(await deploy(3, 'op-3', second())).toMatchObject({ outcome: 'succeeded' });
    });

    it('switches nothing when the call is given up before, and says target.interrupted', async () => {
      await deploy(1, 'op-1', first());
      const signal = AbortSignal.abort();
      expect(await target.deploy({ signal, timeoutMs: 5_000 }, at(2), 'op-2', second())).toMatchObject({
        outcome: 'errored',
        code: 'target.interrupted',
      });
      expect(await running()).toBe(first().digest);
    });

    it('refuses an operation id that could not be a name, as input.invalid', async () => {
      expect(await deploy(1, '../../etc', first())).toMatchObject({ outcome: 'failed', code: 'input.invalid' });
    });
  });
}
