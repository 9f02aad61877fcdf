/** Gates: what their service does, on a real socket. */
import { readFileSync } from 'node:fs';
import { makeClient } from '@stella/contract/client';
import { parseDuration } from '@stella/domain/client';
import type { Drill } from '../drill.ts';
import { writeSecret } from '../call-back.ts';
import { acknowledge, answerAfter, answerWith, type PeerModes, WELL } from '../place.ts';
import { unexpected } from '../unexpected.ts';
import type { World } from '../world.ts';

/** Short enough to wait for, long enough for a busy machine. */
const TIMEOUT = '2s';
/** Later than the time-out, and sooner than the one that is proposed then. */
const LATE_MS = 3_000;
/** Of the drill in which earlier answers came only just in time. */
const CLOSE = { timeout: '5s', answerMs: 4_600, lateMs: 6_000 };
/** Of the documentation (RFC 5737), in no network. */
const FOREIGN_URL = 'http://192.0.2.1/gate';
/** Beyond a stall, and within the time-out of the gate. */
const BEYOND_STALL_MS = 15_000;

/** The one gate of the drill, named as it is, so that settings of gates of that name are its own. */
function gate(world: World, keys: object = {}): object {
  return { name: world.name, kind: 'http', url: world.gateUrl, timeout: TIMEOUT, retries: 0, backoff: '0s', ...keys };
}

function serviceDrill(cause: Drill['cause'], fault: string, broken: Partial<PeerModes>): Drill {
  return {
    cause,
    fault,
    async inject(world) {
      await world.apply({ gates: [gate(world)] });
      world.behave(broken);
      return world.promote(await world.release('1'));
    },
    repair: async (world) => world.behave(WELL),
  };
}

/** What the promotion keeps is its definition; so the right one is for the next. */
function definitionDrill(cause: Drill['cause'], fault: string, urlOf: (world: World) => string): Drill {
  return {
    cause,
    fault,
    async inject(world) {
      await world.apply({ gates: [gate(world, { url: urlOf(world) })] });
      return world.promote(await world.release('1'));
    },
    repair: (world) => world.apply({ gates: [gate(world)] }),
  };
}

const tooShort: Drill = {
  cause: 'gate.timeout_too_short',
  fault: `its service answers after ${CLOSE.lateMs / 1_000} s, and is waited for ${CLOSE.timeout}`,
  async inject(world) {
    await world.apply({ gates: [gate(world, { timeout: CLOSE.timeout, retries: 1 })] });
    world.behave({ gate: answerAfter(CLOSE.answerMs) });
    await world.untilCompleted(await world.promote(await world.release('1')));
    world.behave({ gate: answerAfter(CLOSE.lateMs) });
    return world.promote(await world.release('2'));
  },
};

const noCallback: Drill = {
  cause: 'gate.no_callback',
  fault: 'its service takes the question, and never calls back',
  // Because a server takes keys from one directory only, which is no matter of a drill.
  own: { shape: 'single' },
  async inject(world) {
    await world.apply({ gates: [gate(world, { mode: 'callback', secret: writeSecret(world.place) })] });
    world.behave({ gate: acknowledge(false) });
    return world.promoteToGates(await world.release('1'));
  },
  repair: async (world) => world.behave({ gate: acknowledge(true) }),
};

const noApprover: Drill = {
  cause: 'gate.no_approver',
  fault: 'the only person who may approve is not enrolled',
  leaves: 'a person who may approve in an environment that is gone',
  async inject(world) {
    await world.apply({ gates: [{ name: world.name, kind: 'approval', count: 1, group: [subjectOf(world)] }] });
    return world.promote(await world.release('1'));
  },
  async follow(world, said) {
    const [, file] = /^Code\s+in (\S+), until /m.exec(said) ?? [];
    if (file === undefined) throw unexpected(`no file with a code in: ${said}`);
    const code = readFileSync(file, 'utf8').trim();
    await approveWithCode(world, code);
  },
};

function subjectOf({ name }: World): string {
  return `${name}@example.com`;
}

async function approveWithCode({ client, name, server }: World, code: string): Promise<void> {
  const { token } = await client.call('login', { body: { code } });
  const person = makeClient({ server, token, timeoutMs: 30_000 });
  const { items } = await client.call('listPromotions', { query: { environment: name } });
  for (const { id } of items) {
    await person.call('approvePromotion', { parameters: { promotion: id }, body: { gate: name } });
  }
}

const timeBudget: Drill = {
  cause: 'config.time_budget',
  fault: 'a gate may take an hour, and takes longer than a stall',
  needs: ['stuck.after'],
  async inject(world) {
    const { value } = await world.client.call('getSetting', { parameters: { setting: 'stuck.after' } });
    await world.apply({ gates: [gate(world, { timeout: '1h', retries: 2 })] });
    world.behave({ gate: answerAfter(parseDuration(String(value)) + BEYOND_STALL_MS) });
    return world.promote(await world.release('1'));
  },
};

export const GATE_DRILLS: readonly Drill[] = [
  serviceDrill('gate.slow', 'its service answers, later than it is waited for', { gate: answerAfter(LATE_MS) }),
  tooShort,
  serviceDrill('gate.unreachable', 'the port of its service is closed', { isServiceOpen: false }),
  serviceDrill('gate.erroring', 'its service answers with status 500', { gate: answerWith(500, 'out of order') }),
  serviceDrill('gate.bad_response', 'its service answers a page instead of a verdict', {
    gate: answerWith(200, '<html>Welcome</html>'),
  }),
  definitionDrill('gate.dns', 'the name in its URL does not exist', ({ name }) => `http://${name}.invalid/gate`),
  definitionDrill('gate.misconfigured', 'its URL has an address that is not allowed', () => FOREIGN_URL),
  noCallback,
  noApprover,
  timeBudget,
];
