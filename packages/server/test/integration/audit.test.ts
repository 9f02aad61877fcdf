/** The background audit on a real database: whose turn it is, what it keeps, tells and forgets. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditStore, AuditTurn } from '../../src/ports/audit-store.ts';
import { query } from '../../src/store/connection.ts';
import { makeAuditStore } from '../../src/store/postgres-audit-store.ts';
import { type CorruptibleStore, openCorruptibleStore } from './invariants-fixture.ts';

const LIVE_MS = 30_000;
const PACE = { everyMs: 5_000, restMs: 60_000, rows: 3 };
/** 11 promotions in pages of 3, then the events. */
const SWEEP_TURNS_MAX = 40;
const START_TIMEOUT_MS = 120_000;

let store: CorruptibleStore;
let audit: AuditStore;
const run = (text: string) => query(store.database, { name: '', text });

beforeAll(async () => {
  store = await openCorruptibleStore();
  audit = makeAuditStore(store.world.database);
  // The migration ran by the real clock; from here on the test's counts.
  await run('update audit_progress set live_due_at = at, sweep_due_at = at from clock.instant');
}, START_TIMEOUT_MS);
afterAll(() => store.close());

async function sweep(): Promise<readonly AuditTurn[]> {
  const turns: AuditTurn[] = [];
  for (let count = 0; count < SWEEP_TURNS_MAX; count += 1) {
    const turn = await audit.takeSweepTurn(PACE);
    if (turn) turns.push(turn);
    if (turn?.isSweepEnd) return turns;
    await store.world.control.pass(PACE.everyMs);
  }
  throw new Error('the sweep does not end');
}

describe('the audit', () => {
  it('is done by one of several servers, and not again before its time', async () => {
    const turns = await Promise.all([1, 2, 3].map(() => audit.takeLiveTurn(LIVE_MS)));
    expect(turns.filter((turn) => turn !== null)).toEqual([{ violations: [], fresh: [], isSweepEnd: false }]);
    await store.world.control.pass(LIVE_MS);
    expect(await audit.takeLiveTurn(LIVE_MS)).not.toBeNull();
  });

  it('looks at everything in pages, and says when it did', async () => {
    const turns = await sweep();
    expect(turns.length).toBeGreaterThan(4);
    expect(turns.flatMap((turn) => turn.violations)).toEqual([]);
    expect((await audit.readFacts()).sweepEndedAtMs).toBe(store.world.control.nowMs());
    expect(await audit.takeSweepTurn(PACE)).toBeNull();
  });

  it('keeps a broken row until a whole sweep finds it mended, and tells of it once in the audit log', async () => {
    const [row] = await run(`update promotions set worker_id = null, claim_epoch = version
      where id = (select min(id) from promotions where step = 'deploy' and ended_at is null) returning id`);
    await store.world.control.pass(LIVE_MS);
    const first = await audit.takeLiveTurn(LIVE_MS);
    expect(first?.fresh.map(({ rule, subject }) => ({ rule, subject }))).toEqual([
      { rule: 'S5.version', subject: row?.['id'] },
    ]);
    await store.world.control.pass(LIVE_MS);
    expect(await audit.takeLiveTurn(LIVE_MS)).toMatchObject({ fresh: [], violations: [{ rule: 'S5.version' }] });
    const told = await run(`select subject, data ->> 'rule' as rule from events where type = 'invariant.violated'`);
    expect(told).toEqual([{ subject: row?.['id'], rule: 'S5.version' }]);
    await run(`update promotions set claim_epoch = 1 where id = '${String(row?.['id'])}'`);
    expect((await audit.readFacts()).known).toHaveLength(1);
    await store.world.control.pass(PACE.restMs);
    await sweep();
    expect((await audit.readFacts()).known).toEqual([]);
    expect(await audit.look()).toEqual([]);
  });
});
