/** How checks are run, and what the one about the rules of safety makes of what it sees. */
import { describe, expect, it } from 'vitest';
import type { AuditStore } from '../ports/audit-store.ts';
import type { Clock } from '../ports/clock.ts';
import { type Check, type CheckFamily, type DoctorDeps, passed } from './check.ts';
import { orchestratorInvariants } from './checks/orchestrator-invariants.ts';
import { healthyDeps } from './healthy-deps.ts';
import { runChecks } from './run-checks.ts';

const WHOLE: AuditStore = {
  takeLiveTurn: () => Promise.resolve(null),
  takeSweepTurn: () => Promise.resolve(null),
  look: () => Promise.resolve([]),
  readFacts: () => Promise.resolve({ nowMs: 90_000, known: [], liveEndedAtMs: 80_000, sweepEndedAtMs: 30_000 }),
};

/** Deadlines come at once when `isLate`, and never otherwise. */
function makeClock(isLate = false): Clock {
  return {
    nowMs: () => 0,
    monotonicMs: () => 0,
    schedule: (_delayMs, run) => {
      if (isLate) run();
      return () => undefined;
    },
    timeoutSignal: () => new AbortController().signal,
  };
}

const ALL = { id: null, category: null, timeoutMs: 1_000, mayProbe: () => true };

/** A store in which all is well, changed where a test says so. */
function makeDeps(change: Partial<DoctorDeps> = {}): DoctorDeps {
  return { ...healthyDeps(), audit: WHOLE, clock: makeClock(), ...change };
}

function makeCheck(look: Check['look']): Check {
  return { id: 'check.orchestrator.one', title: 'One', why: 'it is a test', look };
}

describe('runChecks', () => {
  it('answers pass for a store in which every rule holds, with the age of the last sweep', async () => {
    const [result] = await runChecks(makeDeps(), ALL, { checks: [orchestratorInvariants], families: [] });
    expect(result).toMatchObject({ id: 'check.orchestrator.invariants', status: 'pass', remedy: null });
    expect(result?.facts).toEqual([{ what: 'last whole sweep', value: '1m ago' }]);
  });

  it('names each broken row, and the command that shows what happened', async () => {
    const broken = { property: 'S3', rule: 'S3.first', subject: 'prm_0a1b.deploy.web-1.1', message: 'no' } as const;
    const audit = { ...WHOLE, look: () => Promise.resolve([broken]) };
    const [result] = await runChecks(makeDeps({ audit }), ALL, { checks: [orchestratorInvariants], families: [] });
    expect(result).toMatchObject({ status: 'fail', message: '1 rows break a rule' });
    expect(result?.facts[0]).toEqual({ what: 'S3.first prm_0a1b.deploy.web-1.1', value: 'no' });
    expect(result?.remedy?.command).toBe('stella promotion trace prm_0a1b');
  });

  it('fails a check that throws, and says what it threw', async () => {
    const check = makeCheck(() => Promise.reject(new Error('gone')));
    const [result] = await runChecks(makeDeps(), ALL, { checks: [check], families: [] });
    expect(result).toMatchObject({ status: 'fail', message: 'could not look: gone' });
  });

  it('gives a check up at its deadline, and tells it', async () => {
    let wasTold = false;
    const check = makeCheck((_deps, signal) => {
      wasTold = signal.aborted;
      return new Promise(() => undefined);
    });
    const [result] = await runChecks(makeDeps({ clock: makeClock(true) }), ALL, { checks: [check], families: [] });
    expect(result).toMatchObject({ status: 'fail', message: 'could not look: no answer within 1000 ms' });
    expect(wasTold).toBe(true);
  });

  it('runs those of one category', async () => {
    const results = await runChecks(makeDeps(), { ...ALL, category: 'storage' });
    expect(results.map(({ id }) => id)).toEqual(['check.storage.postgres', 'check.storage.disk']);
    await expect(runChecks(makeDeps(), { ...ALL, category: 'storag' })).rejects.toMatchObject({
      code: 'check.not_found',
      hint: 'did you mean "storage"?',
    });
  });

  it('is check.not_found with the nearest for an id that is none', async () => {
    const order = { ...ALL, id: 'check.orchestrator.invariant' };
    await expect(runChecks(makeDeps(), order)).rejects.toMatchObject({
      code: 'check.not_found',
      hint: 'did you mean "check.orchestrator.invariants"?',
    });
  });

  it('takes a part of an id for all below it, and lists a family only when it is asked for', async () => {
    let listCount = 0;
    const family: CheckFamily = {
      category: 'network',
      list: () => {
        listCount += 1;
        const ids = ['check.network.prod.web', 'check.network.prod.gates.tests', 'check.network.prod-2.web'] as const;
        return Promise.resolve(ids.map((id) => ({ ...makeCheck(() => Promise.resolve(passed('well'))), id })));
      },
    };
    const all = { checks: [orchestratorInvariants], families: [family] };
    const idsOf = async (id: string): Promise<readonly string[]> =>
      (await runChecks(makeDeps(), { ...ALL, id }, all)).map((result) => result.id);
    expect(await idsOf('check.network.prod')).toEqual(['check.network.prod.web', 'check.network.prod.gates.tests']);
    expect(await idsOf('check.network')).toHaveLength(3);
    expect(listCount).toBe(2);
    expect(await idsOf('check.orchestrator.invariants')).toEqual(['check.orchestrator.invariants']);
    expect(listCount).toBe(2);
    await expect(idsOf('check.network.pro')).rejects.toMatchObject({ code: 'check.not_found' });
  });

  it('tells why a family cannot be listed, as one check that has failed', async () => {
    const family: CheckFamily = { category: 'network', list: () => Promise.reject(new Error('gone')) };
    const results = await runChecks(makeDeps(), ALL, { checks: [orchestratorInvariants], families: [family] });
    expect(results).toMatchObject([
      { status: 'pass' },
      { id: 'check.network', status: 'fail', message: 'could not look: gone' },
    ]);
  });

  it('keeps the order of very many, of which only some look at the same time', async () => {
    let [atOnce, most] = [0, 0];
    const checks = Array.from({ length: 90 }, (_, index) => ({
      ...makeCheck(async () => {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await Promise.resolve();
        atOnce -= 1;
        return passed(String(index));
      }),
      id: `check.network.prod.t${index}` as const,
    }));
    const results = await runChecks(makeDeps(), ALL, { checks, families: [] });
    expect(results.map(({ message }) => message)).toEqual(checks.map((_, index) => String(index)));
    expect(most).toBe(20);
  });
});
