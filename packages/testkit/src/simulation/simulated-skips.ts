/** How the people of a simulation break the glass: they ask to skip gates, and decide about each other's requests. */
import { decideSkip, type ErrorCode, isOpenSkip, personOf, type PromotionId, requestSkip } from '@stella/domain';
import type { WriteRecord } from '../memory/memory-session.ts';
import { rowOf } from '../memory/memory-state.ts';
import { attempt, type PeopleWorld, principalOf } from './simulated-people.ts';

/** Of a hundred gates so many are asked to be skipped; of a hundred requests so many are decided about by each person. */
const ASKED_PERCENT = 15;
const DECIDED_PERCENT = 45;

/** The gate was settled or the skip was decided meanwhile, or the promotion went on or ended. */
const WHEN_CLOSED: ReadonlySet<ErrorCode> = new Set([
  'promotion.illegal_transition',
  'skip.exists',
  'skip.not_found',
  'auth.forbidden',
]);

/** Somebody asks to skip a gate that has just opened; some who may, and some who may not. */
export function askSkips(world: PeopleWorld, { before, decision }: WriteRecord): void {
  const { agenda, random } = world;
  for (const run of decision.gateRuns) {
    const isNew = before?.gateRuns.every((one) => one.id !== run.id) ?? true;
    if (!isNew || !random.chance(ASKED_PERCENT)) continue;
    const name = random.pick(['olga', 'olga', 'olga', 'peter', 'dave', 'ci']);
    agenda.after(random.between(10, 15_000), () => ask(world, decision.promotion.id, name, run.gate));
  }
}

function ask(world: PeopleWorld, id: PromotionId, name: string, gate: string): void {
  const principal = principalOf(world.store.state, name);
  const isApproval = gate === 'sign';
  attempt(world, id, {
    word: `skip.${name}`,
    rule: (before, context) => requestSkip(before, context, principal, { gate, reason: 'the service is down' }),
    expect: (code) => {
      if (name === 'dave' || name === 'ci') return code === 'auth.forbidden';
      return isApproval ? code === 'skip.forbidden' : code === null || WHEN_CLOSED.has(code);
    },
    andThen: () => {
      for (const other of ['alice', 'bob', 'carol', 'peter', 'ci']) {
        if (!world.random.chance(DECIDED_PERCENT)) continue;
        world.agenda.after(world.random.between(10, 10_000), () => decideAbout(world, id, other, gate));
      }
    },
  });
}

function decideAbout(world: PeopleWorld, id: PromotionId, name: string, gate: string): void {
  const { random, store } = world;
  const principal = principalOf(store.state, name);
  const decision = random.chance(70) ? 'approved' : 'rejected';
  const person = personOf(principal.actor);
  const row = rowOf(store.state, id);
  const isFirst =
    personOf(row.promotion.requestedBy) === person ||
    [...row.skips.values()].some((skip) => skip.gate === gate && isOpenSkip(skip) && skip.requestedBy === person);
  attempt(world, id, {
    word: `skip.${decision}`,
    rule: (before, context) => decideSkip(before, context, principal, { decision, gate, reason: '' }),
    expect: (code) => {
      if (name === 'ci') return code === 'auth.person_needed' || code === 'auth.forbidden';
      if (code === null) return decision === 'rejected' || !isFirst;
      return WHEN_CLOSED.has(code) || (isFirst && (code === 'auth.own_skip' || code === 'auth.own_request'));
    },
  });
}
