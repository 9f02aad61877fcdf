/** The fence of targets under the shells that hosts have: Debian's dash, and busybox with its own programs. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '@stella/testkit';
import { afterAll, describe, it } from 'vitest';
import { describeFencedHost } from '../../packages/server/test/contract/fenced-host.contract.ts';
import type { HostArgv, TargetHost } from '../../packages/server/src/ports/target-host.ts';
import { makeLocalHost } from '../../packages/server/src/system/local-host.ts';

/** Debian's busybox has no flock, nor some that tests themselves use; those come from where they always are. */
const APPLETS = ['sh', 'setsid', 'mkfifo', 'cat', 'mv', 'rm', 'mkdir', 'sync', 'sleep', 'tr', 'grep', 'df', 'id'];

/** As a host whose `sh` is the first on that path. */
function withPath(directory: string): TargetHost {
  const host = makeLocalHost({ home: directory });
  const PATH = `${directory}:/usr/bin:/bin`;
  const through = ([program, ...args]: HostArgv): HostArgv => [
    program === 'sh' ? join(directory, 'sh') : program,
    ...args,
  ];
  return {
    ...host,
    run: (argv, options) => host.run(through(argv), { ...options, env: { ...options.env, PATH } }),
    open: (argv, options) => host.open(through(argv), { ...options, env: { ...options.env, PATH } }),
  };
}

for (const [shell, names] of [
  ['dash', ['sh']],
  ['busybox', APPLETS],
] as const) {
  const program = findProgram(shell);
  if (program === null) {
    describe(`the fence under ${shell}`, () => {
      it.skip('missing component: dash or busybox (tools/install-system-deps.sh installs it)', () => undefined);
    });
    continue;
  }
  const directory = mkdtempSync(join(tmpdir(), `stella-${shell}-`));
  for (const name of names) symlinkSync(program, join(directory, name));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  describeFencedHost(shell, () => Promise.resolve(withPath(directory)));
}
