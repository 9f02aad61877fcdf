/** `stella promotion gate skip <promotion> <gate> --reason <text>`: breaks the glass around one gate, with a second person. */
import type { CommandSpec } from '../../command.ts';
import { positional, requiredText } from '../../input.ts';
import { promotionView } from './promotion-view.ts';

export const promotionGateSkip: CommandSpec = {
  path: ['promotion', 'gate', 'skip'],
  summary: 'Ask to skip a gate in an emergency; counts when a second person approves it',
  kind: 'write',
  positionals: [
    { name: 'promotion', summary: 'its id, or the unique start of it' },
    { name: 'gate', summary: 'its name' },
  ],
  options: [{ flags: '--reason <text>', summary: 'why; recorded with it', isRequired: true }],
  examples: ['stella promotion gate skip prm_01jd change-ticket --reason "the ticket service is down"'],
  async run({ connect, show, globals, terminal }, { positionals, options }) {
    const { client, idempotencyKey } = await connect();
    const gate = positional(positionals, 1);
    const parameters = { promotion: positional(positionals, 0), gate };
    const body = { reason: requiredText(options, 'reason'), dryRun: globals.isDryRun };
    const promotion = await client.call('skipGate', { parameters, body, idempotencyKey });
    show(promotionView(promotion));
    const command = promotion.gates
      .flatMap((run) => run.skips)
      .filter((skip) => skip.gate === gate)
      .map((skip) => skip.approveCommand)
      .at(-1);
    if (command && !globals.isQuiet && !globals.isDryRun) {
      terminal.err(`the skip waits for the approval of another person, who runs: ${command}\n`);
    }
    return undefined;
  },
};
