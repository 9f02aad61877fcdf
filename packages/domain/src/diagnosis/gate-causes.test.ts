/** One example of each cause at a gate, from rows that the real rules have written. */
import {
  caseOf,
  makeApprovalGate,
  makeDefinition,
  makeDependencyGate,
  makeHttpGate,
  makeSoakGate,
  makeStage,
  makeWindowGate,
  makeRelease,
  makeWholeEnvironment,
  OLGA,
  personIdOf,
  type Stage,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import {
  type Cause,
  type CauseCode,
  diagnose,
  type Diagnosis,
  type GateCall,
  type ProbeReport,
  type ProbeStage,
  digestOf,
  type PromotionId,
  toRfc3339,
} from '../index.ts';

const SECOND = 1_000;
const DAY_MS = 24 * 60 * 60_000;
const MINUTE = 60 * SECOND;
const TICKET = makeHttpGate({ name: 'change-ticket', url: 'https://cab.example/api', timeoutMs: MINUTE });

function stageAt(gate = TICKET, settings = {}): { stage: Stage; id: PromotionId } {
  const stage = makeStage({ definition: makeDefinition({ gates: [gate] }), settings });
  const id = stage.create();
  stage.play(id, 'evaluate_gates');
  return { stage, id };
}

type Slip = Readonly<{ outcome: 'timeout' | 'error'; code: string; message: string }>;
const TIMEOUT: Slip = { outcome: 'timeout', code: 'gate.timeout', message: 'no answer within 60000 ms' };

/** Every attempt slips, until the gate is held. */
function slip(stage: Stage, id: PromotionId, how: Slip, count = 3): void {
  for (let n = 0; n < count; n += 1) {
    if (how.outcome === 'timeout') stage.wait(MINUTE);
    stage.answer(id, 'gate', 'change-ticket', how);
    if (n + 1 === count) return;
    stage.wait(MINUTE);
    stage.look(id);
  }
}

function causeOf(diagnosis: Diagnosis, code: CauseCode): Cause {
  const cause = diagnosis.causes.find((one) => one.code === code);
  if (!cause) throw new Error(`${code} is not among ${diagnosis.causes.map((one) => one.code).join(', ')}`);
  return cause;
}

function probe(stage: Stage, ...stages: ProbeStage[]): ProbeReport {
  const subject = { kind: 'gate', environment: 'prod', name: 'change-ticket' } as const;
  return { subject, atMs: stage.nowMs(), isOk: stages.every((one) => one.outcome === 'ok'), stages };
}

const ok = (stage: ProbeStage['stage'], durationMs: number): ProbeStage => ({
  stage,
  outcome: 'ok',
  durationMs,
  code: null,
  detail: '',
});
const failed = (stage: ProbeStage['stage'], code: ProbeStage['code']): ProbeStage => ({
  stage,
  outcome: 'failed',
  durationMs: 3,
  code,
  detail: 'said so',
});

function calls(stage: Stage, outcome: 'timeout' | 'passed', durationMs: number, count: number): GateCall[] {
  return Array.from({ length: count }, (_, n) => {
    const endedAtMs = stage.nowMs() - n * 10 * MINUTE;
    return { gate: 'change-ticket', startedAtMs: endedAtMs - durationMs, endedAtMs, timeoutMs: MINUTE, outcome };
  });
}

const commands = (cause: Cause): (string | null)[] => cause.remedies.map((one) => one.command);

describe('a gate that does not answer in time', () => {
  it('is gate.slow, with what a probe measured and a time-out that has headroom over it', () => {
    const { stage, id } = stageAt();
    slip(stage, id, TIMEOUT);
    const probes = [probe(stage, ok('dns', 1), ok('tcp', 3), ok('answer', 95 * SECOND))];
    const diagnosis = diagnose(caseOf(stage, id, { probes, gateCalls: calls(stage, 'timeout', MINUTE, 9) }));
    expect(diagnosis.verdict).toBe('stalled');
    expect(diagnosis.causes[0]).toMatchObject({ code: 'gate.slow', confidence: 'certain' });
    const slow = causeOf(diagnosis, 'gate.slow');
    const values = slow.facts.map((fact) => fact.value).join('\n');
    expect(values).toContain('attempt 3 of 3: no answer within 1m');
    expect(values).toContain('connects in 4ms, answers after 1m35s');
    expect(values).toContain('9 of its last 9 calls ran out of time since');
    expect(commands(slow).slice(0, 3)).toEqual([
      'stella orch config set gates.change-ticket.timeout 5m',
      'stella orch config set gates.change-ticket.retries 0',
      `stella promotion gate skip ${id} change-ticket --reason "…"`,
    ]);
    // Three attempts of 5m are longer than a stall, and the remedy says so.
    expect(slow.remedies[0]?.effect).toContain('3 × 5m + 30s of pauses = 15m30s, beyond stuck.after (10m)');
  });

  it('is given a time-out by the key that counts in its environment', () => {
    const { stage, id } = stageAt(TICKET, { 'environments.prod.gates.change-ticket.timeout': 20 * SECOND });
    slip(stage, id, TIMEOUT);
    const slow = causeOf(diagnose(caseOf(stage, id)), 'gate.slow');
    expect(commands(slow)[0]).toBe('stella orch config set environments.prod.gates.change-ticket.timeout 1m');
    expect(slow.remedies[0]?.effect).toContain('within stuck.after (10m)');
  });

  it('is gate.timeout_too_short when earlier calls were only just in time', () => {
    const { stage, id } = stageAt();
    slip(stage, id, TIMEOUT);
    const gateCalls = [...calls(stage, 'timeout', MINUTE, 2), ...calls(stage, 'passed', 58 * SECOND, 3)];
    const cause = causeOf(diagnose(caseOf(stage, id, { gateCalls })), 'gate.timeout_too_short');
    expect(commands(cause)[0]).toBe('stella orch config set gates.change-ticket.timeout 2m');
    expect(cause.facts.map((fact) => fact.value).join()).toContain('the slowest answer took 58s');
  });

  it('is not given less time because it was quick on better days', () => {
    const { stage, id } = stageAt();
    slip(stage, id, TIMEOUT);
    const gateCalls = [...calls(stage, 'timeout', MINUTE, 3), ...calls(stage, 'passed', 20, 3)];
    expect(commands(causeOf(diagnose(caseOf(stage, id, { gateCalls })), 'gate.slow'))[0]).toBe(
      'stella orch config set gates.change-ticket.timeout 2m',
    );
  });

  it('offers no longer time-out than may be set', () => {
    const { stage, id } = stageAt();
    slip(stage, id, TIMEOUT);
    const probes = [probe(stage, ok('answer', 50 * MINUTE))];
    const slow = causeOf(diagnose(caseOf(stage, id, { probes })), 'gate.slow');
    expect(commands(slow)[0]).toBe(`stella promotion gate skip ${id} change-ticket --reason "…"`);
  });

  it('is no trouble at its first slip, nor while it is asked', () => {
    const { stage, id } = stageAt();
    expect(diagnose(caseOf(stage, id))).toMatchObject({ verdict: 'healthy', causes: [] });
    slip(stage, id, TIMEOUT, 1);
    expect(diagnose(caseOf(stage, id))).toMatchObject({ verdict: 'healthy', causes: [] });
  });
});

describe('a gate that cannot be asked', () => {
  it.each<[CauseCode, Slip['code'], string]>([
    ['gate.dns', 'gate.dns', 'dns: getaddrinfo ENOTFOUND cab.example'],
    ['gate.unreachable', 'gate.unreachable', 'refused: connect ECONNREFUSED'],
    ['gate.tls', 'gate.tls', 'tls: certificate has expired'],
    ['gate.erroring', 'gate.error', 'reset: other side closed'],
    ['gate.bad_response', 'gate.bad_response', 'the answer is not JSON'],
    ['gate.misconfigured', 'gate.address_forbidden', 'the address 10.0.0.1 is not in the allowed ranges'],
    ['gate.no_callback', 'gate.no_callback', 'it did not call back'],
  ])('is %s by its attempts of code %s, mended outside and then asked again', (code, attemptCode, message) => {
    const { stage, id } = stageAt();
    slip(stage, id, { outcome: 'error', code: attemptCode, message });
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis.causes[0]?.code).toBe(code);
    const cause = causeOf(diagnosis, code);
    expect(cause.facts[0]?.value).toContain(`attempt 3 of 3: ${message}`);
    // A promotion keeps its definition, so that a corrected one only helps another promotion.
    const anew = code === 'gate.dns' || code === 'gate.misconfigured' ? ' --anew' : '';
    expect(cause.remedies[0]).toMatchObject({ kind: 'external', command: `stella promotion retry ${id}${anew}` });
    expect(cause.remedies[0]?.text).toContain('stella orch connectivity --gate change-ticket');
    expect(commands(cause).at(-1)).toBe(`stella promotion gate skip ${id} change-ticket --reason "…"`);
    expect(commands(cause).includes(`stella promotion retry ${id}`)).toBe(code !== 'gate.misconfigured');
  });

  it('is clock.skew before gate.no_callback where the server takes every signature for one of another time', () => {
    const { stage, id } = stageAt();
    slip(stage, id, { outcome: 'timeout', code: 'gate.no_callback', message: 'it did not call back' });
    const codesAt = (clockAheadMs: number): unknown[] => {
      const server = { hostname: 'host-1', version: '1.0.0', clockAheadMs };
      return diagnose(caseOf(stage, id, { server })).causes.map(({ code }) => code);
    };
    expect(codesAt(4 * 60_000)).toEqual(['gate.no_callback', 'clock.skew']);
    expect(codesAt(-6 * 60_000)).toEqual(['clock.skew', 'gate.no_callback']);
    const server = { hostname: 'host-1', version: '1.0.0', clockAheadMs: 6 * 60_000 };
    const [cause] = diagnose(caseOf(stage, id, { server })).causes;
    // The clock alone does not ask the held gate again.
    expect(cause?.remedies[0]).toMatchObject({ kind: 'external', command: `stella promotion retry ${id}` });
  });

  it.each<[CauseCode, ProbeStage['stage'], ProbeStage['code']]>([
    ['gate.dns', 'dns', 'dns.not_found'],
    ['gate.unreachable', 'tcp', 'tcp.timeout'],
    ['gate.misconfigured', 'tcp', 'tcp.forbidden'],
    ['gate.tls', 'tls', 'tls.expired'],
  ])('is %s by a probe that failed at %s, whatever the attempts ran into', (code, stageName, probeCode) => {
    const { stage, id } = stageAt();
    slip(stage, id, TIMEOUT);
    const diagnosis = diagnose(caseOf(stage, id, { probes: [probe(stage, failed(stageName, probeCode))] }));
    expect(diagnosis.causes[0]).toMatchObject({ code, confidence: 'certain' });
  });

  it('is not judged by a probe from before its trouble', () => {
    const { stage, id } = stageAt();
    const old = probe(stage, failed('dns', 'dns.not_found'));
    const probes = [{ ...old, atMs: old.atMs - 60 * MINUTE }];
    slip(stage, id, TIMEOUT);
    expect(diagnose(caseOf(stage, id, { probes })).causes[0]?.code).toBe('gate.slow');
  });

  it('names the skip that was asked for, and whoever may approve it, beside the gate itself', () => {
    const { stage, id } = stageAt();
    slip(stage, id, TIMEOUT);
    stage.skip(id, OLGA, 'change-ticket', 'cab is down');
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis.causes.map((cause) => cause.code)).toEqual(['gate.slow', 'skip.pending']);
    const approve = `stella promotion approve ${id} --skip change-ticket`;
    expect(commands(causeOf(diagnosis, 'gate.slow'))).toContain(approve);
    expect(causeOf(diagnosis, 'skip.pending').remedies[0]).toMatchObject({ command: approve, needs: 'approver' });
  });

  it('still tells why, and how to start anew, when its hold has ended', () => {
    const { stage, id } = stageAt();
    slip(stage, id, { outcome: 'error', code: 'gate.dns', message: 'dns: ENOTFOUND' });
    stage.wait(61 * MINUTE);
    stage.look(id);
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis).toMatchObject({
      verdict: 'ended',
      summary: 'failed: the name of a gate is not found (gate.dns)',
    });
    expect(causeOf(diagnosis, 'gate.dns').remedies).toEqual([
      expect.objectContaining({
        command: `stella promotion retry ${id}`,
        effect: 'starts a new promotion of the same release',
      }),
    ]);
  });
});

describe('config.time_budget', () => {
  it('is named when declared attempts take longer than a stall, with a number that fits', () => {
    const { stage, id } = stageAt({ ...TICKET, timeoutMs: 8 * MINUTE });
    stage.wait(7 * MINUTE);
    stage.answer(id, 'gate', 'change-ticket', TIMEOUT);
    stage.wait(4 * MINUTE);
    stage.look(id);
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis.verdict).toBe('stalled');
    const budget = causeOf(diagnosis, 'config.time_budget');
    expect(budget.facts[0]?.value).toContain('3 × 8m + 30s of pauses = 24m30s; stuck.after is 10m, the objective 30m');
    expect(commands(budget)[0]).toBe('stella orch config set gates.change-ticket.retries 0');
    expect(budget.remedies[0]?.effect).toContain('1 × 8m = 8m');
  });

  it('shortens the time-out where not even one attempt fits', () => {
    const { stage, id } = stageAt({ ...TICKET, timeoutMs: 40 * MINUTE });
    stage.wait(11 * MINUTE);
    expect(commands(causeOf(diagnose(caseOf(stage, id)), 'config.time_budget'))[0]).toBe(
      'stella orch config set gates.change-ticket.timeout 10m',
    );
  });
});

describe('a gate that waits for people or time', () => {
  function waiting(gates: Parameters<typeof makeDefinition>[0]): { stage: Stage; id: PromotionId } {
    const dev = makeWholeEnvironment('dev', makeRelease(5));
    const stage = makeStage({ definition: makeDefinition({ ...gates, promotesFrom: ['dev'] }), predecessors: [dev] });
    const id = stage.create();
    stage.play(id);
    return { stage, id };
  }

  it('is approval.pending: waiting, until its deadline, with who may decide', () => {
    const { stage, id } = waiting({ gates: [makeApprovalGate()] });
    const diagnosis = diagnose(caseOf(stage, id));
    const deadlineAtMs = stage.of(id).gateRuns[0]?.deadlineAtMs;
    expect(diagnosis).toMatchObject({ verdict: 'waiting', waitsUntilMs: deadlineAtMs });
    const cause = causeOf(diagnosis, 'approval.pending');
    expect(cause.facts.map((fact) => fact.value)).toEqual(['0 of 1 approved', 'bob, carol']);
    expect(cause.remedies[0]).toMatchObject({ kind: 'wait', command: `stella promotion approve ${id} --gate sign` });
  });

  it('is gate.no_approver when more are wanted than may decide', () => {
    const { stage, id } = waiting({ gates: [makeApprovalGate({ count: 2, group: ['alice', 'bob', 'dora'] })] });
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis.verdict).toBe('stalled');
    const cause = causeOf(diagnosis, 'gate.no_approver');
    expect(cause.facts[0]?.value).toBe('wants 2, and besides the requester may approve: bob');
    expect(cause.facts[1]?.value).toContain('alice, dora');
    expect(commands(cause)[0]).toBe('stella auth person create dora --role approver@prod');
    // Nobody has looked who may: nothing is concluded.
    expect(diagnose(caseOf(stage, id, { approvers: null })).causes[0]?.code).toBe('approval.pending');
  });

  it('is base.changed when people are asked again, with the difference', () => {
    const { stage, id } = waiting({ gates: [makeApprovalGate({ count: 2 })] });
    stage.approve(id, {
      actor: { kind: 'person', id: personIdOf('bob'), subject: 'bob' },
      bindings: [{ role: 'approver', pattern: '*' }],
    });
    stage.state.environments.set('prod', makeWholeEnvironment('prod', makeRelease(4), stage.nowMs()));
    stage.look(id);
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis.verdict).toBe('waiting');
    const cause = causeOf(diagnosis, 'base.changed');
    expect(cause.facts[0]?.value).toContain('shop-4');
    expect(commands(cause)[0]).toBe(`stella promotion approve ${id} --gate sign`);
  });

  it('is soak.running until the time is over', () => {
    const { stage, id } = waiting({ gates: [makeSoakGate()] });
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis).toMatchObject({ verdict: 'waiting', waitsUntilMs: stage.of(id).gateRuns[0]?.dueAtMs });
    expect(causeOf(diagnosis, 'soak.running').remedies[0]).toMatchObject({ kind: 'wait', command: null });
  });

  it('is soak.broken when it began anew too late for its deadline, and not told to pass by itself', () => {
    const { stage, id } = waiting({ gates: [makeSoakGate()] });
    const whole = caseOf(stage, id);
    const { snapshot } = whole.subject;
    const deadlineAtMs = (snapshot.gateRuns[0]?.dueAtMs ?? 0) - 1;
    const gateRuns = snapshot.gateRuns.map((run) => ({ ...run, deadlineAtMs }));
    const diagnosis = diagnose({ ...whole, subject: { blockedBy: [], snapshot: { ...snapshot, gateRuns } } });
    const cause = causeOf(diagnosis, 'soak.broken');
    expect(cause.facts[0]?.value).toContain(`its deadline is ${toRfc3339(deadlineAtMs)}`);
    expect(commands(cause)[0]).toBe(`stella promotion cancel ${id}`);
  });

  it.each([
    ['window.closed', makeWindowGate({ allow: [] })],
    ['dependency.pending', makeDependencyGate()],
  ] as const)('is %s until what the gate says holds', (code, gate) => {
    const { stage, id } = waiting({ gates: [makeApprovalGate()] });
    const whole = caseOf(stage, id);
    const { snapshot } = whole.subject;
    const definition = { ...snapshot.promotion.definition, gates: [gate] };
    const untilMs = stage.nowMs() + 5 * MINUTE;
    const gateRuns = snapshot.gateRuns.map((run) => ({
      ...run,
      gate: gate.name,
      kind: gate.kind,
      dueAtMs: untilMs,
      message: 'not yet',
    }));
    const promotion = { ...snapshot.promotion, definition, status: 'scheduled' as const };
    const diagnosis = diagnose({
      ...whole,
      subject: { blockedBy: [], snapshot: { ...snapshot, promotion, gateRuns } },
    });
    expect(diagnosis).toMatchObject({ verdict: 'waiting', waitsUntilMs: untilMs, causes: [{ code }] });
    expect(diagnosis.causes[0]?.facts[0]?.value).toBe('not yet');
  });

  it('is quota.exhausted until starts are counted anew, with the command that raises the limit', () => {
    const quotas = { perDay: 1, timeZone: 'UTC' };
    const environment = { ...makeWholeEnvironment('prod', makeRelease(1)), quotas };
    const stage = makeStage({ definition: makeDefinition({ quotas }), environment });
    stage.play(stage.create({ release: 2 }));
    const id = stage.create({ release: 3 });
    stage.play(id);
    const diagnosis = diagnose(caseOf(stage, id));
    const untilMs = (Math.floor(stage.nowMs() / DAY_MS) + 1) * DAY_MS;
    expect(diagnosis).toMatchObject({ verdict: 'waiting', waitsUntilMs: untilMs });
    const cause = causeOf(diagnosis, 'quota.exhausted');
    expect(cause.facts[0]?.value).toContain('1 of 1 starts per day are used');
    expect(commands(cause)).toContain('stella orch quota limits set --env prod --per-day 2');
  });

  it('is soak.broken when the release runs there no more', () => {
    const { stage, id } = waiting({ gates: [makeSoakGate()] });
    stage.state.environments.set('dev', makeWholeEnvironment('dev', makeRelease(6), stage.nowMs()));
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis.verdict).toBe('stalled');
    const cause = causeOf(diagnosis, 'soak.broken');
    expect(cause.facts[0]?.value).toBe('shop-5 does not run whole in dev');
    // A newer release runs there, behind which it cannot go back.
    expect(cause.remedies[0]).toMatchObject({ kind: 'external', command: `stella promotion cancel ${id}` });
  });

  it('is soak.broken when it is not whole there, and bringing it there again begins the soak anew', () => {
    const { stage, id } = waiting({ gates: [makeSoakGate()] });
    const whole = makeWholeEnvironment('dev', makeRelease(4), stage.nowMs());
    stage.state.environments.set('dev', { ...whole, state: 'mixed' });
    const [remedy] = causeOf(diagnose(caseOf(stage, id)), 'soak.broken').remedies;
    expect(remedy).toMatchObject({ kind: 'command', command: 'stella promotion create --release shop-5 --to dev' });
  });

  it.each([
    ['has drifted', digestOf('other'), 'runs sha256:', ['stella promotion create --release shop-5 --to dev']],
    [
      'is ill',
      makeRelease(5).components[0]?.digest ?? null,
      'is not healthy',
      ['stella orch env status dev --detailed', 'stella promotion create --release shop-5 --to dev'],
    ],
  ] as const)(
    'is soak.broken when a look found that a target there %s, with what cures that',
    (_, digest, words, cures) => {
      const { stage, id } = waiting({ gates: [makeSoakGate()] });
      const whole = caseOf(stage, id);
      const sinceMs = stage.nowMs();
      const found = { environment: 'dev', target: 'web-1', components: ['web'], sinceMs, untilMs: null, digest };
      const broken = { ...found, promised: makeRelease(5).components[0]?.digest ?? null, seenAtMs: sinceMs };
      const { snapshot } = whole.subject;
      const predecessors = snapshot.predecessors.map((one) => ({
        ...one,
        artifactsSinceMs: sinceMs,
        breaks: [broken],
      }));
      const of = (patch: object): Diagnosis =>
        diagnose({ ...whole, subject: { blockedBy: [], snapshot: { ...snapshot, predecessors, ...patch } } });
      const cause = causeOf(of({}), 'soak.broken');
      expect(cause.facts).toMatchObject([{ what: 'dev', source: 'environment', atMs: sinceMs }]);
      expect(cause.facts[0]?.value).toContain(`target web-1 ${words}`);
      expect(commands(cause).slice(0, cures.length)).toEqual(cures);
      const blind = causeOf(of({ settings: { ...snapshot.settings, 'observe.mode': 1 } }), 'soak.broken');
      expect(blind.remedies.some(({ effect }) => effect.includes('observe.mode off'))).toBe(cures.length > 1);
      const deploy = causeOf(of({ promotion: { ...snapshot.promotion, kind: 'deploy' } }), 'soak.broken');
      expect(commands(deploy)).toContain(`stella deploy --env dev --artifact ${broken.promised}`);
      const elsewhere = { ...broken, target: 'api-1', components: ['api'], untilMs: sinceMs };
      const both = predecessors.map((one) => ({ ...one, breaks: [elsewhere, broken] }));
      const release = {
        ...snapshot.release,
        components: [...makeRelease(5, ['api']).components, ...snapshot.release.components],
      };
      const patch = { promotion: { ...snapshot.promotion, kind: 'deploy' }, release, predecessors: both };
      // What was broken and is sound again is not to be brought there.
      expect(commands(causeOf(of(patch), 'soak.broken')).filter((one) => one?.includes(' deploy '))).toEqual([
        `stella deploy --env dev --artifact ${broken.promised}`,
      ]);
    },
  );

  it('is window.closed by a freeze, of which its definition knows nothing', () => {
    const { stage, id } = waiting({ gates: [makeApprovalGate()] });
    const whole = caseOf(stage, id);
    const { snapshot } = whole.subject;
    const untilMs = stage.nowMs() + 5 * MINUTE;
    const frozen = { gate: 'freeze', kind: 'window', dueAtMs: untilMs, message: 'frozen by olga' } as const;
    const gateRuns = snapshot.gateRuns.map((run) => ({ ...run, ...frozen }));
    const promotion = { ...snapshot.promotion, status: 'scheduled' as const };
    const subject = { blockedBy: [], snapshot: { ...snapshot, promotion, gateRuns } };
    const diagnosis = diagnose({ ...whole, subject });
    expect(diagnosis).toMatchObject({ verdict: 'waiting', waitsUntilMs: untilMs, causes: [{ code: 'window.closed' }] });
  });
});
