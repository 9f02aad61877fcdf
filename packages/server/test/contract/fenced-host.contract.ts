/** What the fence of a host promises (safety S4), whatever shell runs its script and however the host is reached. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Digest, Fence } from '@stella/domain';
import { waitFor } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OperationAnswer } from '../../src/ports/target.ts';
import type { HostArgv, TargetHost } from '../../src/ports/target-host.ts';
import { nodeClock } from '../../src/system/node-clock.ts';
import { nodeProcesses } from '../../src/system/node-processes.ts';
import { type CallScope, withinCall } from '../../src/targets/call-scope.ts';
import { type FencedHost, type FencedWork, makeFencedHost } from '../../src/targets/fenced-host.ts';
import { toOperationAnswer } from '../../src/targets/target-errors.ts';

const LONG_MS = 60_000;
const DIGEST = `sha256:${'7'.repeat(64)}` as Digest;
const DONE: OperationAnswer = { outcome: 'succeeded', digest: DIGEST, message: 'it\'s "done" \\ $HOME' };

const at = (n: number, epoch = 1): Fence => ({ epoch, n });
const op = (n: number, operationId = `op-${n}`) => ({ fence: at(n), operationId });

/** Reads all that the program says, to its end. */
const toItsEnd: FencedWork = async ({ stream, ended }) => {
  const said = await text(stream);
  const { exitCode } = await ended;
  return exitCode === 0 ? { ...DONE, message: said } : { outcome: 'errored', code: 'internal', message: said };
};
/** Takes the program for done once it runs. */
const whileItRuns: FencedWork = () => Promise.resolve(DONE);

/** `isFar`: without what depends on the host's shell and disk alone, however it is reached. */
export function describeFencedHost(
  name: string,
  openHost: () => Promise<TargetHost>,
  { isFar = false }: { readonly isFar?: boolean } = {},
): void {
  describe(`the fence of a host: ${name}`, () => {
    let host: TargetHost;
    let root: string;
    let state: string;
    let fenced: FencedHost;

    beforeEach(async () => {
      host = await openHost();
      root = await mkdtemp(join(tmpdir(), 'stella-fence-'));
      state = join(root, 'state');
      fenced = makeFencedHost(host, { target: 'web', stateDirectory: state });
    });
    afterEach(async () => {
      await host.close();
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    });

    const within = <Answer>(
      run: (scope: CallScope) => Promise<Answer>,
      signal = new AbortController().signal,
    ): Promise<Answer | OperationAnswer> =>
      withinCall<Answer | OperationAnswer>(
        { call: { signal, timeoutMs: LONG_MS }, clock: nodeClock, target: 'web' },
        (error) => toOperationAnswer(error, 'web'),
        run,
      );
    const apply = (n: number, argv: HostArgv, work: FencedWork = toItsEnd, id = `op-${n}`) =>
      within((scope) => fenced.apply(scope, op(n, id), argv, work));
    const holds = () => within((scope) => fenced.holds(scope));
    const seal = (n: number) => within((scope) => fenced.seal(scope, at(n)));

    /** A program that writes its number and waits, deaf to SIGTERM when asked to be. */
    const waiting = (file: string, isDeaf = false): HostArgv => [
      'sh',
      '-c',
      `${isDeaf ? 'trap "" TERM; ' : ''}echo $$ >"$1"; while :; do sleep 1; done`,
      'sh',
      join(root, file),
    ];
    const pidIn = async (path: string): Promise<number> => {
      const read = async (): Promise<number> =>
        Number((await readFile(path, 'utf8').catch(() => '0')).split(' ').at(0));
      await waitFor(async () => (await read()) > 0, { timeoutMs: LONG_MS, why: `${path} to be written` });
      return read();
    };
    const isGone = async (pid: number): Promise<boolean> => (await nodeProcesses.inspect(pid)) === null;
    const toBeGone = (pid: number): Promise<void> =>
      waitFor(() => isGone(pid), { timeoutMs: LONG_MS, why: 'the program to be ended' });
    /** The process of the script that holds the lock. */
    const holderPid = async (): Promise<number> => {
      const file = join(state, 'holder');
      await waitFor(() => existsSync(file), { timeoutMs: LONG_MS, why: 'a holder' });
      return Number((await readFile(file, 'utf8')).split(' ')[1]);
    };

    it('knows nothing at first, then what it accepted, sealed or not', async () => {
      expect(await holds()).toBeNull();
      expect(await apply(5, ['true'])).toMatchObject({ outcome: 'succeeded' });
      expect(await holds()).toEqual({ fence: at(5), operation: op(5) });
      expect(await seal(9)).toMatchObject({ outcome: 'sealed', last: { ...op(5), result: { outcome: 'succeeded' } } });
      expect(await holds()).toEqual({ fence: at(9), operation: op(5) });
    });

    it('runs a program with its arguments as they are and tells it the operation', async () => {
      const answer = await apply(1, [
        'sh',
        '-c',
        'printf "%s|" "$STELLA_OPERATION" "$@"',
        'sh',
        '$x',
        "it's",
        '-n',
        '',
      ]);
      expect(answer).toMatchObject({ message: "op-1|$x|it's|-n||" });
    });

    it('answers a repeat with what was recorded, to the letter, and runs nothing again', async () => {
      const mark = join(root, 'runs');
      const argv: HostArgv = ['sh', '-c', 'echo run >>"$1"', 'sh', mark];
      expect(await apply(1, argv, async (program) => ({ ...(await toItsEnd(program)), ...DONE }))).toEqual(DONE);
      expect(await apply(1, argv)).toEqual(DONE);
      expect(await readFile(mark, 'utf8')).toBe('run\n');
    });

    it('refuses what is lower, and another operation of the same fence, and starts nothing', async () => {
      await apply(5, ['true']);
      const mark = join(root, 'ran');
      expect(await apply(4, ['touch', mark])).toMatchObject({ outcome: 'refused', held: at(5) });
      expect(await apply(5, ['touch', mark], toItsEnd, 'other')).toMatchObject({ outcome: 'refused', held: at(5) });
      expect(await seal(4)).toMatchObject({ outcome: 'refused', held: at(5) });
      expect(existsSync(mark)).toBe(false);
    });

    it('takes an operation with the fence of a seal', async () => {
      await seal(3);
      expect(await apply(3, ['true'])).toMatchObject({ outcome: 'succeeded' });
      expect(await holds()).toEqual({ fence: at(3), operation: op(3) });
    });

    it('ends the program of an operation that a seal shuts out, deaf or not, and never records it', async () => {
      const applying = apply(1, waiting('pid', true));
      const pid = await pidIn(join(root, 'pid'));
      expect(await seal(2)).toEqual({ outcome: 'sealed', last: { ...op(1), result: null } });
      expect(await isGone(pid)).toBe(true);
      expect(await applying).toMatchObject({ outcome: 'refused', held: at(2) });
      expect(await holds()).toEqual({ fence: at(2), operation: op(1) });
    });

    it('never runs two programs at once, and ends with the highest', async () => {
      const argv: HostArgv = [
        'sh',
        '-c',
        'mkdir "$1" || { echo overlap >>"$2"; exit 1; }; sleep 0.3; rmdir "$1"',
        'sh',
        join(root, 'alone'),
        join(root, 'overlaps'),
      ];
      const answers = await Promise.all([3, 1, 6, 2, 5, 4].map((n) => apply(n, argv)));
      expect(existsSync(join(root, 'overlaps'))).toBe(false);
      expect(answers[2]).toMatchObject({ outcome: 'succeeded' });
      expect(await holds()).toEqual({ fence: at(6), operation: op(6) });
    });

    it('ends the program when the connection is lost', async () => {
      const controller = new AbortController();
      const applying = within((scope) => fenced.apply(scope, op(1), waiting('pid'), toItsEnd), controller.signal);
      const pid = await pidIn(join(root, 'pid'));
      controller.abort();
      expect(await applying).toMatchObject({ outcome: 'errored' });
      await toBeGone(pid);
    });

    it('ends what a killed holder has left, before anything newer runs', async () => {
      const applying = apply(1, waiting('pid'));
      const pid = await pidIn(join(root, 'pid'));
      process.kill(await holderPid(), 'SIGKILL');
      await applying;
      expect(await apply(2, ['true'])).toMatchObject({ outcome: 'succeeded' });
      expect(await isGone(pid)).toBe(true);
    });

    it('is not kept waiting by a holder that is paused with its program', async () => {
      const applying = apply(1, waiting('pid'));
      const pid = await pidIn(join(root, 'pid'));
      for (const one of [await holderPid(), pid]) process.kill(one, 'SIGSTOP');
      expect(await seal(2)).toMatchObject({ outcome: 'sealed' });
      expect(await isGone(pid)).toBe(true);
      expect(await applying).toMatchObject({ outcome: 'refused', held: at(2) });
    });

    it('says of an operation that died between pair and result that it did not tell, and takes the next', async () => {
      const applying = apply(1, waiting('pid'));
      const pid = await pidIn(join(root, 'pid'));
      process.kill(await holderPid(), 'SIGKILL');
      process.kill(pid, 'SIGKILL');
      await applying;
      const mark = join(root, 'ran');
      expect(await apply(1, ['touch', mark])).toMatchObject({ outcome: 'errored', code: 'target.interrupted' });
      expect(existsSync(mark)).toBe(false);
      expect(await seal(2)).toEqual({ outcome: 'sealed', last: { ...op(1), result: null } });
      expect(await apply(3, ['touch', mark])).toMatchObject({ outcome: 'succeeded' });
    });

    it('is probed: nothing is missing, there is room, and where it is', async () => {
      expect(await within((scope) => fenced.probe(scope))).toMatchObject({
        missing: [],
        directory: state,
        holds: null,
      });
      expect(await within(async (scope) => (await fenced.probe(scope)).freeBytes)).toBeGreaterThan(0);
    });

    if (isFar) return;
    it('kills no stranger that was given the number of an older program, in this boot or another', async () => {
      await apply(1, ['true']);
      const { pid, ended } = await nodeProcesses.startDetached(['sleep', '1000'], { env: {}, logFile: null });
      const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
      const { startedAt } = (await nodeProcesses.inspect(pid)) ?? { startedAt: null };
      try {
        await writeFile(join(state, 'group'), `${boot} ${pid} 1 op-1\n`);
        expect(await apply(2, ['true'])).toMatchObject({ outcome: 'succeeded' });
        await writeFile(join(state, 'group'), `00000000-0000-0000-0000-000000000000 ${pid} ${startedAt} op-2\n`);
        expect(await apply(3, ['true'])).toMatchObject({ outcome: 'succeeded' });
        expect(await isGone(pid)).toBe(false);
        // The same note of this boot names it.
        await writeFile(join(state, 'group'), `${boot} ${pid} ${startedAt} op-3\n`);
        expect(await apply(4, ['true'])).toMatchObject({ outcome: 'succeeded' });
        await toBeGone(pid);
      } finally {
        nodeProcesses.signal(pid, 'SIGKILL');
        await ended;
      }
    });

    it('ends what a program has left behind in its group, and leaves alone what it put into another', async () => {
      const script = 'sleep 1000 & echo $! >"$1"; setsid sleep 1001 >/dev/null 2>&1 & echo $! >"$2"; sleep 0.2';
      const paths = [join(root, 'within'), join(root, 'without')] as const;
      const argv: HostArgv = ['sh', '-c', `exec >/dev/null 2>&1; ${script}`, 'sh', ...paths];
      expect(await apply(1, argv)).toMatchObject({ outcome: 'succeeded' });
      const [within1, without] = [await pidIn(paths[0]), await pidIn(paths[1])];
      await toBeGone(within1);
      expect(await isGone(without)).toBe(false);
      process.kill(without, 'SIGKILL');
    });

    it('accepts nothing on a full disk, and says so', async () => {
      await apply(1, ['true']);
      const mark = join(root, 'ran');
      await symlink('/dev/full', join(state, 'pair.new'));
      expect(await apply(2, ['touch', mark])).toMatchObject({ outcome: 'failed', code: 'target.disk_full' });
      expect(existsSync(mark)).toBe(false);
      expect(await holds()).toEqual({ fence: at(1), operation: op(1) });
      expect(await apply(2, ['touch', mark])).toMatchObject({ outcome: 'succeeded' });
    });

    it('bug: says that it cannot write where its shell cannot', async () => {
      await mkdir(join(state, 'state.lock'), { recursive: true });
      expect(await apply(1, ['true'])).toMatchObject({ outcome: 'failed', code: 'target.disk' });
      expect(await seal(1)).toMatchObject({ outcome: 'failed', code: 'target.disk' });
      expect(await within((scope) => fenced.probe(scope))).toMatchObject({ code: 'target.disk' });
    });

    it.each([
      ['an empty pair', 'pair', ''],
      ['half a pair', 'pair', '1 2 op-2 1'],
      ['a pair without its end', 'pair', '1 2 op-2 1 2 op-2\n'],
      ['no numbers', 'pair', 'one two op-2 1 2 op-2 .\n'],
    ])('takes nothing for granted from %s: nothing runs until a person has looked', async (_what, file, content) => {
      await apply(1, ['true']);
      const before = await readFile(join(state, file), 'utf8');
      await writeFile(join(state, file), content);
      const mark = join(root, 'ran');
      expect(await apply(9, ['touch', mark])).toMatchObject({ outcome: 'errored', code: 'target.fence_damaged' });
      expect(await seal(9)).toMatchObject({ outcome: 'errored', code: 'target.fence_damaged' });
      expect(existsSync(mark)).toBe(false);
      await writeFile(join(state, file), before);
      expect(await apply(9, ['touch', mark])).toMatchObject({ outcome: 'succeeded' });
    });

    it('takes a torn result for none', async () => {
      await apply(1, ['true']);
      await writeFile(join(state, 'result'), '1 1 op-1 {"outcome":"succ');
      expect(await apply(1, ['true'])).toMatchObject({ outcome: 'errored', code: 'target.interrupted' });
      await writeFile(join(state, 'result'), '1 1 op-1 {"outcome":"succ\n');
      expect(await seal(2)).toEqual({ outcome: 'sealed', last: { ...op(1), result: null } });
    });

    it('lets an applier look just before its switch', async () => {
      const seen: unknown[] = [];
      const answer = await within((scope) =>
        // Not `cat`: busybox's goes from a fifo to a socket by sendfile, in which Linux 6.18 lets nobody end it.
        fenced.apply(scope, op(1), waiting('first'), async () => {
          await fenced.check(scope, op(1));
          seen.push(await seal(2));
          await fenced.check(scope, op(1));
          return DONE;
        }),
      );
      expect(seen).toMatchObject([{ outcome: 'sealed' }]);
      expect(answer).toMatchObject({ outcome: 'refused', held: at(2) });
    });

    it('records a clear answer while its program still runs, and lets it go then', async () => {
      expect(await apply(1, ['cat'], whileItRuns)).toEqual(DONE);
      expect(await apply(1, ['cat'], whileItRuns)).toEqual(DONE);
      await waitFor(() => !existsSync(join(state, 'holder')), { timeoutMs: LONG_MS, why: 'the program to be let go' });
    });
  });
}
