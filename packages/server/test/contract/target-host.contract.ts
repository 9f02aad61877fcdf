/** What every implementation of the port `TargetHost` does with a program. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeProcesses } from '../../src/system/node-processes.ts';
import type { HostRunOptions, TargetHost } from '../../src/ports/target-host.ts';

const LONG_MS = 30_000;
/** Longer than a short program takes. */
const HELD_UP_MS = 300;

/** `hasSignals`: a program that does not heed the end of its stdin is ended, too. */
export function describeTargetHost(
  name: string,
  openHost: () => TargetHost,
  { hasSignals }: { readonly hasSignals: boolean },
): void {
  describe(`the host: ${name}`, () => {
    let host: TargetHost;
    let directory: string;
    const options = (patch: Partial<HostRunOptions> = {}): HostRunOptions => ({
      timeoutMs: LONG_MS,
      signal: new AbortController().signal,
      outputBytesMax: 1_000_000,
      ...patch,
    });
    const isGone = async (pid: number): Promise<boolean> => (await nodeProcesses.inspect(pid)) === null;
    /** Two processes that write their numbers to files and wait for ever, or until their input ends. */
    const waiting = (): readonly [string, ...string[]] => {
      const script = 'cd "$1" || exit 1; sleep 1000 & echo $! > child; echo $$ > leader; wait';
      return ['sh', '-c', script, 'sh', directory];
    };
    const pids = async (): Promise<readonly number[]> => {
      const read = async (file: string): Promise<number> =>
        Number(await readFile(join(directory, file), 'utf8').catch(() => '0'));
      const both = async (): Promise<readonly number[]> => [await read('leader'), await read('child')];
      await waitFor(async () => (await both()).every((pid) => pid > 0), { timeoutMs: LONG_MS, why: 'both to run' });
      return both();
    };

    beforeAll(async () => {
      host = openHost();
      directory = await mkdtemp(join(tmpdir(), 'stella-host-'));
    });
    afterAll(async () => {
      await host.close();
      await rm(directory, { recursive: true, force: true });
    });

    it('hands every argument over as it is, whatever a shell would make of it', async () => {
      const odd = ['$HOME', '`id`', "it's", '"', '\\', '*', 'a\nb', '', ' x ', '!!', '~', 'ä€'];
      const { exitCode, stdout } = await host.run(['printf', '%s|', ...odd], options());
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: odd.map((one) => `${one}|`).join('') });
    });

    it('hands over input and environment, and tells both outputs and the exit code', async () => {
      const result = await host.run(
        ['sh', '-c', 'cat; echo "$STELLA_DIGEST" >&2; exit 7'],
        options({ input: 'the input', env: { STELLA_DIGEST: "it's $one" } }),
      );
      expect(result).toMatchObject({ exitCode: 7, stdout: 'the input', stderr: "it's $one\n", isTimedOut: false });
    });

    it('tells a program that is not there as shells do', async () => {
      const { exitCode, stderr } = await host.run(['/nowhere/at-all'], options());
      expect(exitCode).toBe(127);
      expect(stderr).toContain('/nowhere/at-all');
    });

    it('does not mind a program that reads nothing of a large input', async () => {
      const { exitCode } = await host.run(['true'], options({ input: 'x'.repeat(3_000_000) }));
      expect(exitCode).toBe(0);
    });

    it('ends a program that writes without end', async () => {
      const result = await host.run(['yes'], options({ outputBytesMax: 10_000 }));
      expect(result).toMatchObject({ isCut: true, exitCode: null });
      expect(result.stdout.length).toBeLessThanOrEqual(10_000);
    });

    it('answers in time for a program that does not end', async () => {
      const result = await host.run(['sleep', '1000'], options({ timeoutMs: 300 }));
      expect(result).toMatchObject({ isTimedOut: true, exitCode: null });
    });

    it('answers when the call is given up', async () => {
      const controller = new AbortController();
      const running = host.run(['sleep', '1000'], options({ signal: controller.signal }));
      controller.abort();
      expect(await running).toMatchObject({ isAborted: true, exitCode: null });
    });

    it('is a duplex over a program, whose input ends by itself', async () => {
      const { stream, ended } = await host.open(['cat'], { signal: new AbortController().signal });
      const large = 'line\n'.repeat(400_000);
      stream.end(large);
      expect(await text(stream)).toBe(large);
      expect(await ended).toEqual({ exitCode: 0, stderr: '' });
    });

    it('bug: hands all that a program wrote to a reader that begins after its end', async () => {
      const argv = ['sh', '-c', 'head -c 100000 /dev/zero'] as const;
      const { stream, ended } = await host.open(argv, { signal: new AbortController().signal });
      expect(await ended).toEqual({ exitCode: 0, stderr: '' });
      expect(await text(stream)).toHaveLength(100_000);
    });

    it('bug: tells output and exit code of a program that has ended while the loop was held up', async () => {
      await host.run(['true'], options());
      const told = { isOver: false };
      const holdUp = async (): Promise<void> => {
        // Until the program was answered; each turn of the loop finds what came within a while all at once.
        while (!told.isOver) {
          const untilMs = performance.now() + HELD_UP_MS;
          while (performance.now() < untilMs) Math.random();
          await new Promise<void>((resolve) => setImmediate(resolve));
        }
      };
      const held = holdUp();
      const result = await host.run(['sh', '-c', 'printf word; printf problem >&2; exit 7'], options());
      told.isOver = true;
      await held;
      expect(result).toMatchObject({ exitCode: 7, stdout: 'word', stderr: 'problem', isTimedOut: false });
    });

    it('ends a program that waits for its input when the stream is given up', async () => {
      const { stream, ended } = await host.open(['sh', '-c', 'echo $$; cat; echo bye >&2'], {
        signal: new AbortController().signal,
      });
      const [first] =
        (await stream
          .iterator({ destroyOnReturn: false })
          .next()
          .then(({ value }) => [String(value)])) ?? [];
      const pid = Number(first);
      expect(await isGone(pid)).toBe(false);
      stream.destroy();
      await ended;
      await waitFor(() => isGone(pid), { timeoutMs: LONG_MS, why: 'the program to end' });
    });

    if (!hasSignals) return;
    it('ends a program with what it has started when it is killed by its signal', async () => {
      const controller = new AbortController();
      const { ended } = await host.open(waiting(), { signal: controller.signal });
      const both = await pids();
      controller.abort();
      expect((await ended).exitCode).toBeNull();
      await waitFor(async () => (await Promise.all(both.map(isGone))).every(Boolean), {
        timeoutMs: LONG_MS,
        why: 'both to end',
      });
    });
  });
}
