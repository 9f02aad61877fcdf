/** What a health check of kind `command` does at targets of every kind: one suite for all of them. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandArgv, CommandHealthCheck } from '@stella/domain';
import { waitFor } from '@stella/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Observation, Target } from '../../src/ports/target.ts';
import { isThere } from '../crash/service-stage.ts';
import { call as callWithin } from './files-target-fixture.ts';

/** A program that the host starts ends within it, on a machine that does much else. */
const PATIENCE_MS = 60_000;

export interface HealthHarness {
  /** A target of the environment `prod`, whose release runs there, with that check. */
  readonly open: (health: CommandHealthCheck) => Target;
  readonly target: string;
  readonly component: string;
  readonly digest: string;
  /** Below it programs may lie. */
  readonly root: string;
  /** It runs on the machine of the orchestrator, where only what was allowed may be run. */
  readonly isHere: boolean;
  readonly remove: () => void | Promise<void>;
  /** Of each call, for kinds whose work takes longer. */
  readonly callTimeoutMs?: number;
  /** True where nothing else is said: over SSH sshd hands on no signals for root, and a program ends with its time-out. */
  readonly hasSignals?: boolean;
  /** Within it a program has begun there; a second where nothing else is said. */
  readonly startMs?: number;
}

export function describeHealthProgram(kind: string, make: () => Promise<HealthHarness>): void {
  describe(`the health program of a ${kind} target`, () => {
    let harness: HealthHarness;
    let folder: string;

    beforeAll(async () => {
      harness = await make();
    });
    afterAll(() => harness.remove());
    beforeEach(async () => {
      folder = await mkdtemp(join(harness.root, 'health-'));
      return () => rm(folder, { recursive: true });
    });

    const program = async (text: string): Promise<CommandArgv> => {
      const path = join(folder, 'look');
      await writeFile(path, `#!/bin/sh\n${text}\n`);
      await chmod(path, 0o755);
      return [path, folder];
    };
    const openWith = (command: CommandArgv, patch: Partial<CommandHealthCheck> = {}): Target => {
      const timing = { timeoutMs: PATIENCE_MS, intervalMs: 10, threshold: 2, deadlineMs: PATIENCE_MS };
      return harness.open({ kind: 'command', command, ...timing, ...patch });
    };
    const call = (signal?: AbortSignal) => ({ ...callWithin(harness.callTimeoutMs), ...(signal && { signal }) });
    const observe = async (target: Target): Promise<Observation> => {
      const answer = await target.observe(call());
      if (answer.outcome !== 'ok') throw new Error(answer.message);
      return answer.observation;
    };
    const lines = async (file: string): Promise<readonly string[]> =>
      (await readFile(join(folder, file), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
    const startMs = (): number => harness.startMs ?? 1_000;
    const areGone = async (): Promise<boolean> => (await lines('pids')).every((pid) => !isThere(Number(pid)));

    it('says with its exit code whether it is well, after so many in a row, and is told what it looks at', async () => {
      const text = 'env >"$1/told"; echo x >>"$1/runs"; [ "$(wc -l <"$1/runs")" -ne 2 ]';
      const target = openWith(await program(text));
      expect(await target.probe(call())).toMatchObject({ outcome: 'ok' });
      const { target: name, component, digest } = harness;
      expect(await observe(target)).toMatchObject({ digest, isHealthy: true, message: '' });
      // One right, one wrong, two right ones in a row.
      expect(await lines('runs')).toHaveLength(4);
      expect((await lines('told')).filter((line) => line.startsWith('STELLA_')).sort()).toEqual([
        'STELLA_ACTION=health',
        `STELLA_COMPONENT=${component}`,
        `STELLA_DIGEST=${digest}`,
        'STELLA_ENVIRONMENT=prod',
        `STELLA_TARGET=${name}`,
      ]);
    });

    it('is quoted with its last words when it says no', async () => {
      const command = await program('echo looking; echo "the queue is full" >&2; exit 7');
      const patch = { intervalMs: startMs(), deadlineMs: 3 * startMs() };
      const { digest, isHealthy, message } = await observe(openWith(command, patch));
      expect({ digest, isHealthy }).toEqual({ digest: harness.digest, isHealthy: false });
      expect(message).toMatch(/look: ended with exit code 7: looking the queue is full \(\d+ runs\)$/);
    });

    it('is ended at its time-out, with all that it has started', async () => {
      const command = await program('sleep 1000 & echo $$ $! | tr " " "\\n" >>"$1/pids"; wait');
      const patch = { timeoutMs: startMs(), deadlineMs: 2.5 * startMs() };
      const { isHealthy, message } = await observe(openWith(command, patch));
      expect({ isHealthy, message }).toEqual({
        isHealthy: false,
        message: expect.stringContaining('look: did not end in time') as string,
      });
      await waitFor(areGone, { timeoutMs: PATIENCE_MS, why: 'what it started is gone' });
      expect((await lines('pids')).length).toBeGreaterThanOrEqual(2);
    });

    it('is ended when the call is given up', async () => {
      const command = await program('sleep 1000 & echo $$ $! | tr " " "\\n" >>"$1/pids"; wait');
      const controller = new AbortController();
      // Of itself it would end when nobody waits any more.
      const timeoutMs = harness.hasSignals === false ? 10_000 : 3 * PATIENCE_MS;
      const looking = openWith(command, { timeoutMs, deadlineMs: 3 * PATIENCE_MS }).observe(call(controller.signal));
      const started = { timeoutMs: PATIENCE_MS, why: 'it runs' };
      await waitFor(async () => (await lines('pids')).length === 2, started);
      controller.abort();
      expect(await looking).toMatchObject({ outcome: 'errored', code: 'target.interrupted' });
      await waitFor(areGone, { timeoutMs: PATIENCE_MS, why: 'what it started is gone' });
    });

    it('is named by the probe when it is not there, before anything is changed', async () => {
      const probe = await openWith([join(folder, 'none')]).probe(call());
      expect(probe).toMatchObject({ outcome: 'failed', code: 'target.program_missing' });
      expect(probe.stages.at(-1)).toMatchObject({
        stage: 'programs',
        code: 'programs.missing',
        detail: expect.stringContaining(join(folder, 'none')) as string,
      });
    });

    it('is run on the machine of the orchestrator only where that was allowed', async () => {
      const target = openWith(['/bin/true']);
      const [probe, look] = [await target.probe(call()), await target.observe(call())];
      const codeOf = (answer: typeof probe | typeof look): string => ('code' in answer ? answer.code : answer.outcome);
      // Elsewhere the rights of its user decide.
      const expected = harness.isHere ? 'target.program_forbidden' : 'ok';
      expect([codeOf(probe), codeOf(look)]).toEqual([expected, expected]);
      const stage = probe.stages.find((one) => one.stage === 'programs');
      expect(stage?.code).toBe(harness.isHere ? 'path.forbidden' : null);
    });
  });
}
