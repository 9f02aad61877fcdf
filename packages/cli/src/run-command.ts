/** Runs a command; loaded for those only, so that help starts without what talks to servers and prints answers. */
import { makeClient } from '@stella/contract/client';
import { type CommandContext, type CommandInput, type CommandSpec, EXIT_CODES } from './command.ts';
import { findServer } from './connect/find-server.ts';
import { showView } from './output/show-view.ts';

export async function runCommand(
  spec: CommandSpec,
  input: CommandInput,
  { terminal, env, globals }: Pick<CommandContext, 'terminal' | 'env' | 'globals'>,
): Promise<number> {
  const context: CommandContext = {
    terminal,
    env,
    globals,
    connect({ patienceMs } = { patienceMs: 0 }) {
      const { server, token } = findServer(globals, env);
      const timeoutMs = globals.isTimeoutGiven ? globals.timeoutMs : Math.max(globals.timeoutMs, patienceMs);
      const client = makeClient({ server, token, timeoutMs });
      let key: string | null = null;
      return Promise.resolve({
        client,
        server,
        get idempotencyKey() {
          // Loading cryptography takes longer than the rest of a read, which needs no key.
          key ??= process.getBuiltinModule('node:crypto').randomUUID();
          return key;
        },
      });
    },
    show: (view) => showView(terminal, globals, view),
  };
  return (await spec.run(context, input)) ?? EXIT_CODES.ok;
}
