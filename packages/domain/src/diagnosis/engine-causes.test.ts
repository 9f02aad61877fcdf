/** One example of each cause at targets, registry, locks, workers and the database, and of nothing at all. */
import {
  caseOf,
  makeCommandTarget,
  makeDefinition,
  makeHttpGate,
  makeRelease,
  makeStage,
  makeTarget,
  makeWholeEnvironment,
  type Stage,
} from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import {
  type Cause,
  type CauseCode,
  type DatabaseBlock,
  type DatabaseFacts,
  diagnose,
  type Diagnosis,
  digestOf,
  type DiagnosisSnapshot,
  type ProbeCode,
  type Promotion,
  type PromotionId,
  type Step,
} from '../index.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const CALM: DatabaseFacts = {
  isReadOnly: false,
  connectionCount: 5,
  connectionCountMax: 100,
  readMs: 2,
  blocks: [],
  disk: null,
};

function stageAt(step?: Step): { stage: Stage; id: PromotionId } {
  const stage = makeStage({ definition: makeDefinition({ onFailure: 'hold' }) });
  const id = stage.create();
  stage.look(id);
  if (step) stage.play(id, step);
  return { stage, id };
}

const openOf = (stage: Stage, id: PromotionId) => stage.of(id).attempts.filter(({ result }) => result === null);
const codes = (diagnosis: Diagnosis): CauseCode[] => diagnosis.causes.map((cause) => cause.code);
const values = (cause: Cause | undefined): string =>
  cause?.facts.map((fact) => `${fact.what}: ${fact.value}`).join('\n') ?? '';

/** The subject's row as a test wants it, beside what the rules wrote. */
function withRow(whole: DiagnosisSnapshot, patch: Partial<Promotion>): DiagnosisSnapshot {
  const { snapshot } = whole.subject;
  return {
    ...whole,
    subject: { ...whole.subject, snapshot: { ...snapshot, promotion: { ...snapshot.promotion, ...patch } } },
  };
}

describe('a target or the registry', () => {
  it.each<[CauseCode, string, string]>([
    ['target.engine_down', 'target.engine_down', 'Cannot connect to the Docker daemon'],
    ['target.credentials', 'target.secret_missing', 'DB: there is no such variable'],
    ['target.misconfigured', 'target.engine_forbidden', 'is not allowed'],
    ['target.misconfigured', 'target.engine_refused', 'no such network'],
    ['target.misconfigured', 'target.in_the_way', 'is somebody else’s'],
    ['target.misconfigured', 'target.compose_failed', 'port is already allocated'],
    ['target.unreachable', 'target.disk', '"/srv/web-1" is not a directory'],
    ['target.credentials', 'target.denied', "EACCES: permission denied, access '/srv/web-1'"],
    ['target.disk_full', 'target.disk_full', 'no block is free'],
    ['target.credentials', 'target.credentials', 'deploy was refused with the key env:STELLA_SECRET_KEY'],
    ['target.host_key', 'target.host_key', 'it shows ssh-ed25519 SHA256:…; /etc/known_hosts knows no key of it'],
    ['target.misconfigured', 'target.directory_forbidden', 'outside of the allowed ones'],
    ['target.misconfigured', 'target.program_missing', '/opt/deploy'],
  ])('is %s at its precheck by the code %s, mended outside and then probed again', (code, attemptCode, message) => {
    const { stage, id } = stageAt();
    stage.answer(id, 'precheck_target', 'web-1', { outcome: 'failed', code: attemptCode, message });
    stage.answerAll(id);
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis.verdict).toBe('stalled');
    expect(codes(diagnosis)).toEqual([code]);
    const [cause] = diagnosis.causes;
    expect(values(cause)).toContain(`target web-1: precheck_target 1: ${message} (${attemptCode})`);
    const verb = code === 'target.credentials' ? 'credentials verify' : 'connectivity';
    // A promotion keeps its definition, so that a corrected one only helps another promotion.
    const command = `stella promotion retry ${id}${code === 'target.misconfigured' ? ' --anew' : ''}`;
    expect(cause?.remedies[0]).toMatchObject({ kind: 'external', command });
    expect(cause?.remedies[0]?.text).toContain(`stella orch ${verb} --target prod`);
  });

  it.each<[CauseCode, string]>([
    ['registry.unreachable', 'registry.unreachable'],
    ['registry.credentials', 'registry.denied'],
    ['registry.credentials', 'registry.credentials'],
    ['registry.tls', 'registry.tls'],
    ['registry.misconfigured', 'registry.directory_forbidden'],
    ['registry.artifact_missing', 'registry.artifact_missing'],
    ['registry.digest_mismatch', 'registry.digest_mismatch'],
    ['artifact.refused', 'registry.bad_manifest'],
  ])('is %s at the precheck of an artifact by the code %s', (code, attemptCode) => {
    const { stage, id } = stageAt();
    stage.answer(id, 'precheck_artifact', 'web', { outcome: 'failed', code: attemptCode, message: 'said so' });
    stage.answerAll(id);
    const diagnosis = diagnose(caseOf(stage, id));
    expect(codes(diagnosis)).toEqual([code]);
    expect(values(diagnosis.causes[0])).toContain('artifact web');
    // What was released never changes: an artifact that is refused once is refused at each retry.
    const verb = code === 'artifact.refused' ? 'cancel' : 'retry';
    expect(diagnosis.causes[0]?.remedies[0]?.command).toBe(`stella promotion ${verb} ${id}`);
  });

  it.each([
    ['pinned in the definition, which a promotion keeps', { hostKey: `SHA256:${'A'.repeat(43)}` }, ' --anew'],
    ['known from a file, which is read anew', { knownHosts: '/etc/ssh/ssh_known_hosts' }, ''],
  ])('is target.host_key of a host whose key is %s', (_what, known, option) => {
    const ssh = { address: 'web-1.example', port: 22, user: 'deploy', key: 'env:STELLA_SECRET_KEY', ...known };
    const web = makeCommandTarget({ name: 'web-1', host: { ssh } });
    const stage = makeStage({ definition: makeDefinition({ targets: [web] }) });
    const id = stage.create();
    const refusal = { outcome: 'error', code: 'target.host_key', message: 'it shows another key' } as const;
    stage.answer(id, 'precheck_target', 'web-1', refusal);
    stage.answerAll(id);
    const [cause] = diagnose(caseOf(stage, id)).causes;
    expect(cause).toMatchObject({ code: 'target.host_key' });
    expect(cause?.remedies[0]).toMatchObject({ kind: 'external', command: `stella promotion retry ${id}${option}` });
    expect(cause?.remedies[0]?.text).toContain('ssh-keygen -lf');
  });

  it('is told by a probe where the answer has no code of its own', () => {
    const { stage, id } = stageAt();
    stage.answer(id, 'precheck_target', 'web-1', {
      outcome: 'error',
      code: 'target.interrupted',
      message: 'no answer',
    });
    stage.answerAll(id);
    const subject = { kind: 'target', environment: 'prod', name: 'web-1' } as const;
    const probeAs = (code: ProbeCode): CauseCode[] => {
      const stages = [{ stage: 'path', outcome: 'failed', durationMs: 1, code, detail: 'said so' } as const];
      return codes(diagnose(caseOf(stage, id, { probes: [{ subject, atMs: stage.nowMs(), isOk: false, stages }] })));
    };
    expect(probeAs('disk.full')).toEqual(['target.disk_full']);
    expect(probeAs('rights.denied')).toEqual(['target.credentials']);
    expect(probeAs('path.forbidden')).toEqual(['target.misconfigured']);
    expect(probeAs('programs.missing')).toEqual(['target.misconfigured']);
    expect(probeAs('host_key.changed')).toEqual(['target.host_key']);
    expect(probeAs('auth.refused')).toEqual(['target.credentials']);
    expect(probeAs('path.missing')).toEqual(['target.unreachable']);
  });

  it.each<[CauseCode, string]>([
    ['target.unhealthy', 'target.unhealthy'],
    ['target.wrong_digest', 'target.wrong_digest'],
  ])('is %s when the verification said no, and the way on is a new promotion', (code, attemptCode) => {
    const { stage, id } = stageAt('verify');
    stage.answer(id, 'verify', 'web-1', { outcome: 'failed', code: attemptCode, message: 'said so' });
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis).toMatchObject({ verdict: 'ended', causes: [{ code }] });
    expect(diagnosis.causes[0]?.remedies[0]?.command).toBe(`stella promotion retry ${id}`);
  });

  it('is target.wrong_digest when it reports another digest with a clear conscience', () => {
    const { stage, id } = stageAt('verify');
    stage.answer(id, 'verify', 'web-1', { digest: digestOf('something else') });
    expect(values(diagnose(caseOf(stage, id)).causes[0])).toContain(`reports ${digestOf('something else')}`);
  });

  it.each<[CauseCode, string, 'failed' | 'refused' | 'error']>([
    ['target.disk_full', 'target.disk_full', 'failed'],
    ['target.fence_stale', 'target.fence_stale', 'refused'],
    ['artifact.refused', 'target.unpack_refused', 'failed'],
  ])('is %s when a deploy ended by it', (code, attemptCode, outcome) => {
    const { stage, id } = stageAt('deploy');
    stage.answer(id, 'deploy', 'web-1', { outcome, code: attemptCode, message: 'said so' });
    expect(diagnose(caseOf(stage, id))).toMatchObject({ verdict: 'ended', causes: [{ code }] });
  });

  it('is nothing of a verification that a cancel has broken off', () => {
    const stage = makeStage({ definition: makeDefinition({ onFailure: 'rollback' }) });
    stage.play(stage.create({ release: 4 }));
    const id = stage.create({ release: 5 });
    stage.play(id, 'deploy');
    stage.wait(SECOND);
    stage.play(id, 'verify');
    stage.cancel(id);
    const message = 'the call was given up';
    stage.answer(id, 'verify', 'web-1', { outcome: 'error', code: 'target.interrupted', message });
    expect(stage.of(id).promotion).toMatchObject({ step: 'rollback', status: 'cancelling' });
    expect(codes(diagnose(caseOf(stage, id)))).toEqual([]);
  });

  it('is nothing of the verification of a batch that a cancel has broken off', () => {
    const targets = [makeTarget({ name: 'web-1' }), makeTarget({ name: 'web-2' })];
    const strategy = { kind: 'rolling', maxUnavailable: 1 } as const;
    const stage = makeStage({ definition: makeDefinition({ onFailure: 'rollback', targets, strategy }) });
    stage.play(stage.create({ release: 4 }));
    const id = stage.create({ release: 5 });
    stage.play(id, 'deploy');
    stage.answer(id, 'deploy', 'web-1');
    stage.cancel(id);
    stage.answer(id, 'batch_verify', 'web-1', { outcome: 'error', code: 'target.interrupted', message: 'given up' });
    expect(stage.of(id).promotion).toMatchObject({ step: 'rollback', status: 'cancelling' });
    expect(codes(diagnose(caseOf(stage, id)))).toEqual([]);
  });

  it('is none of a target that was restored, also when another release runs by now', () => {
    const targets = [makeTarget({ name: 'web-1' }), makeTarget({ name: 'web-2' })];
    const stage = makeStage({
      definition: makeDefinition({ onFailure: 'rollback', targets }),
      environment: makeWholeEnvironment('prod', makeRelease(3)),
    });
    const id = stage.create({ release: 5 });
    stage.play(id, 'deploy');
    stage.wait(SECOND);
    stage.answer(id, 'deploy', 'web-1', { outcome: 'failed', code: 'target.disk_full', message: 'full' });
    stage.answer(id, 'deploy', 'web-2');
    stage.wait(SECOND);
    for (const name of ['web-1', 'web-2']) stage.answer(id, 'rollback', name);
    stage.answer(id, 'rollback_verify', 'web-1', {
      outcome: 'failed',
      code: 'target.unhealthy',
      message: 'status 500',
    });
    stage.answer(id, 'rollback_verify', 'web-2');
    expect(stage.of(id).promotion.ending).toMatchObject({ code: 'rollback.failed' });
    stage.state.environments.set('prod', makeWholeEnvironment('prod', makeRelease(7)));
    expect(codes(diagnose(caseOf(stage, id)))).toEqual(['target.unhealthy']);
  });

  it('bug: is still told when all that had been touched was brought back', () => {
    const targets = [makeTarget({ name: 'web-1' }), makeTarget({ name: 'web-2' })];
    const stage = makeStage({
      definition: makeDefinition({ onFailure: 'rollback', targets }),
      environment: makeWholeEnvironment('prod', makeRelease(3)),
    });
    const id = stage.create({ release: 5 });
    stage.play(id, 'deploy');
    stage.wait(SECOND);
    stage.play(id, 'verify');
    const message = 'status 500';
    stage.answer(id, 'verify', 'web-1', { outcome: 'failed', code: 'target.unhealthy', message });
    stage.answer(id, 'verify', 'web-2');
    stage.wait(SECOND);
    for (const name of ['web-1', 'web-2']) stage.answer(id, 'rollback', name);
    for (const name of ['web-1', 'web-2']) stage.answer(id, 'rollback_verify', name);
    expect(stage.of(id).promotion.status).toBe('rolled_back');
    const [cause] = diagnose(caseOf(stage, id)).causes;
    expect(cause?.code).toBe('target.unhealthy');
    expect(values(cause)).toContain('status 500');
  });

  it('tells of ten targets and counts the others, and says once how long the precheck goes on', () => {
    const targets = Array.from({ length: 25 }, (_, index) => makeTarget({ name: `web-${index + 11}` }));
    const stage = makeStage({ definition: makeDefinition({ targets }) });
    const id = stage.create();
    stage.look(id);
    for (let open = openOf(stage, id); open[0]; open = openOf(stage, id)) {
      const { purpose, subject } = open[0];
      stage.answer(id, purpose, subject, purpose === 'precheck_target' ? { outcome: 'failed', message: 'down' } : {});
    }
    const [cause] = diagnose(caseOf(stage, id)).causes;
    expect(cause?.facts.map(({ what }) => what)).toEqual([
      ...targets.slice(0, 10).map(({ name }) => `target ${name}`),
      '15 more',
      'precheck',
    ]);
    expect(values(cause)).toMatch(/^15 more: web-21, .*, web-30 and 5 more$/m);
    expect(cause?.remedies[0]?.text).toMatch(/ \(web-11, [^)]*, web-20 and 15 more\); check it/);
  });

  it('is target.busy, whose holder is to be ended, and no trouble at the first slip', () => {
    const { stage, id } = stageAt('deploy');
    const busy = { outcome: 'error', code: 'target.busy', message: 'another operation' } as const;
    stage.answer(id, 'deploy', 'web-1', busy);
    expect(diagnose(caseOf(stage, id)).causes).toEqual([]);
    stage.answer(id, 'deploy', 'web-1', busy);
    const diagnosis = diagnose(caseOf(stage, id));
    const untilMs = stage.of(id).promotion.deployDeadlineAtMs;
    const [cause] = diagnosis.causes;
    const remedies = [
      { kind: 'external', command: null },
      { kind: 'wait', untilMs },
    ];
    expect(cause).toMatchObject({ code: 'target.busy', remedies });
    expect(cause?.remedies[0]?.text).toContain('lslocks');
    stage.answer(id, 'deploy', 'web-1', busy);
    const retry = `stella promotion retry ${id}`;
    expect(diagnose(caseOf(stage, id)).causes).toMatchObject([
      { code: 'target.busy', remedies: [{ kind: 'external', command: retry }] },
    ]);
  });

  it('is target.slow when an operation runs for longer than a stall', () => {
    const { stage, id } = stageAt('deploy');
    expect(diagnose(caseOf(stage, id))).toMatchObject({ verdict: 'healthy', causes: [] });
    stage.wait(11 * MINUTE);
    const whole = withRow(caseOf(stage, id), { nextActionAtMs: stage.nowMs() });
    const diagnosis = diagnose(whole);
    expect(diagnosis).toMatchObject({ verdict: 'stalled', causes: [{ code: 'target.slow' }] });
    expect(values(diagnosis.causes[0])).toContain('target web-1: deploy 1 runs for 11m');
    expect(diagnosis.causes[0]?.remedies[1]).toMatchObject({ kind: 'wait', command: `stella promotion cancel ${id}` });
  });
});

describe('a stopped environment', () => {
  it('is fence.behind, with what the target holds, and the cure for an admin', () => {
    const { stage, id } = stageAt();
    const holds = { fence: { epoch: 1, n: 500 }, operation: null };
    const environment = {
      ...stage.of(id).environment,
      stop: { target: 'web-1', holds, lacks: 'fence' as const, atMs: stage.nowMs() },
    };
    stage.state.environments.set('prod', environment);
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis).toMatchObject({ verdict: 'stalled', causes: [{ code: 'fence.behind' }] });
    expect(diagnosis.causes[0]?.remedies[0]).toMatchObject({
      command: 'stella orch fence raise --env prod',
      needs: 'admin',
    });
  });
});

describe('a promotion behind another one', () => {
  function two(): { stage: Stage; first: PromotionId; second: PromotionId } {
    const { stage, id: first } = stageAt('deploy');
    const second = stage.create({ release: 6 });
    stage.play(second);
    return { stage, first, second };
  }

  it('is lock.held: it waits until the holder has to be through', () => {
    const { stage, first, second } = two();
    const diagnosis = diagnose(caseOf(stage, second));
    expect(diagnosis).toMatchObject({ verdict: 'waiting', waitsUntilMs: stage.of(first).promotion.deployDeadlineAtMs });
    expect(codes(diagnosis)).toEqual(['lock.held']);
    expect(values(diagnosis.causes[0])).toContain(`holder ${first}: in_progress in deploy`);
  });

  it('names the target at which the holder hangs first, and whose it is', () => {
    const { stage, first, second } = two();
    stage.wait(11 * MINUTE);
    const whole = caseOf(stage, second);
    const fresh = { nextActionAtMs: stage.nowMs(), status: 'queued' as const };
    const others = whole.others.map(
      (one) => withRow({ ...whole, subject: one }, { nextActionAtMs: stage.nowMs() }).subject,
    );
    const diagnosis = diagnose({ ...withRow(whole, fresh), others });
    expect(codes(diagnosis)).toEqual(['target.slow', 'lock.held']);
    expect(diagnosis.causes.map((cause) => cause.promotionId)).toEqual([first, second]);
    expect(diagnosis.verdict).toBe('waiting');
  });

  it('is lock.stale when nobody works for the holder, with the command that frees it', () => {
    const { stage, first, second } = two();
    stage.wait(2 * MINUTE);
    const whole = caseOf(stage, second);
    const blockedBy = whole.subject.blockedBy.map((one) => ({ ...one, isStale: true }));
    const lockId = stage.of(first).locks[0]?.id ?? '';
    const stale = withRow({ ...whole, subject: { ...whole.subject, blockedBy } }, { nextActionAtMs: stage.nowMs() });
    const diagnosis = diagnose(stale);
    expect(diagnosis.verdict).toBe('stalled');
    expect(codes(diagnosis)[0]).toBe('lock.stale');
    expect(diagnosis.causes[0]?.remedies[0]?.command).toBe(`stella orch locks release ${lockId} --force`);
  });

  it('comes after the dead worker while no other lives: nobody would take the lock that is released', () => {
    const { stage, second } = two();
    const [worker] = caseOf(stage, second).workers;
    if (!worker) throw new Error('the stage has a worker');
    stage.wait(2 * MINUTE);
    const gone = { ...worker, leaseUntilMs: stage.nowMs() - MINUTE };
    const whole = caseOf(stage, second, { workers: [gone] });
    const blockedBy = whole.subject.blockedBy.map((one) => ({ ...one, isStale: true }));
    const waits = { ...whole, subject: { ...whole.subject, blockedBy } };
    const diagnosis = diagnose(withRow(waits, { workerId: null, nextActionAtMs: stage.nowMs() + SECOND }));
    expect(codes(diagnosis).slice(0, 2)).toEqual(['worker.dead', 'lock.stale']);
    expect(diagnosis.causes[0]?.remedies[0]?.command).toBe('stella service restart orchestrator');
  });

  it('is queue.behind where only an older ticket goes before it', () => {
    const { stage, first, second } = two();
    const whole = caseOf(stage, second);
    const blockedBy = whole.subject.blockedBy.map((one) => ({ ...one, lock: null }));
    const diagnosis = diagnose({ ...whole, subject: { ...whole.subject, blockedBy } });
    expect(diagnosis).toMatchObject({ verdict: 'waiting', causes: [{ code: 'queue.behind' }] });
    expect(values(diagnosis.causes[0])).toContain(
      `${first}: goes before it: is in_progress in deploy, priority normal`,
    );
  });

  it('follows a circle once, and names it', () => {
    const { stage, first, second } = two();
    const whole = caseOf(stage, second);
    const back = { promotionId: second, lock: null, isStale: false, priority: 'normal' as const };
    const others = whole.others.map((one) => ({ ...one, blockedBy: [back] }));
    const diagnosis = diagnose({ ...whole, others });
    expect(values(diagnosis.causes[0])).toContain(`each waits for the next: ${second}, ${first}, ${second}`);
  });
});

describe('workers', () => {
  it('worker.none: due, and no worker runs at all', () => {
    const { stage, id } = stageAt();
    stage.wait(2 * MINUTE);
    const whole = withRow(caseOf(stage, id, { workers: [] }), { workerId: null });
    expect(diagnose(whole)).toMatchObject({
      verdict: 'stalled',
      causes: [{ code: 'worker.none', remedies: [{ command: 'stella service start orchestrator' }] }],
    });
  });

  it('worker.dead: the one that has it died, and nobody took over', () => {
    const { stage, id } = stageAt();
    const [worker] = caseOf(stage, id).workers;
    if (!worker) throw new Error('the stage has a worker');
    const atMs = stage.nowMs();
    stage.wait(10 * SECOND);
    const gone = { ...worker, heartbeatAtMs: atMs, leaseUntilMs: atMs + 2 * SECOND };
    const diagnosis = diagnose(caseOf(stage, id, { workers: [gone] }));
    expect(diagnosis).toMatchObject({
      verdict: 'stalled',
      causes: [{ code: 'worker.dead', remedies: [{ command: 'stella service restart orchestrator' }] }],
    });
    expect(values(diagnosis.causes[0])).toContain('its lease ran out 8s ago');
    // Within the time of a takeover nothing is wrong.
    const fresh = { ...gone, leaseUntilMs: stage.nowMs() - SECOND };
    expect(diagnose(caseOf(stage, id, { workers: [fresh] })).causes).toEqual([]);
  });

  it('worker.blocked: it lives, and does not look', () => {
    const { stage, id } = stageAt();
    stage.wait(90 * SECOND);
    const diagnosis = diagnose(caseOf(stage, id));
    expect(diagnosis).toMatchObject({
      verdict: 'stalled',
      causes: [{ code: 'worker.blocked', confidence: 'certain' }],
    });
    expect(diagnose(withRow(caseOf(stage, id), { workerId: null })).causes[0]).toMatchObject({
      code: 'worker.blocked',
      confidence: 'likely',
    });
  });

  it('worker.restarting: it signed off a moment ago', () => {
    const { stage, id } = stageAt();
    stage.wait(70 * SECOND);
    const workers = caseOf(stage, id).workers.map((one) => ({
      ...one,
      state: 'retired' as const,
      leaseUntilMs: stage.nowMs(),
    }));
    const whole = withRow(caseOf(stage, id, { workers }), { workerId: null });
    expect(diagnose(whole)).toMatchObject({ verdict: 'waiting', causes: [{ code: 'worker.restarting' }] });
  });

  it('poison: set aside, with the error; worker.version_skew beside it', () => {
    const { stage, id } = stageAt();
    const atMs = stage.nowMs();
    const whole = withRow(caseOf(stage, id), {
      workerId: null,
      setAside: { atMs, message: 'its row cannot be read' },
      nextActionAtMs: atMs + MINUTE,
    });
    const diagnosis = diagnose(whole);
    expect(diagnosis).toMatchObject({ verdict: 'stalled', causes: [{ code: 'poison' }] });
    expect(values(diagnosis.causes[0])).toContain('its row cannot be read');
    const mixed = diagnose({ ...whole, server: { ...whole.server, version: '2.0.0' } });
    expect(codes(mixed)).toEqual(['poison', 'worker.version_skew']);
  });
});

describe('the database', () => {
  const block: DatabaseBlock = {
    row: 'promotion',
    pid: 4711,
    ageMs: 42 * SECOND,
    query: 'update promotions set priority = ? where id = ?',
    user: 'dba',
    application: 'psql',
    state: 'idle in transaction',
    waiterCount: 1,
  };

  it('database.contention: a session holds its row', () => {
    const { stage, id } = stageAt();
    const diagnosis = diagnose(caseOf(stage, id, { database: { ...CALM, blocks: [block] } }));
    expect(diagnosis).toMatchObject({
      verdict: 'stalled',
      causes: [{ code: 'database.contention', confidence: 'certain' }],
    });
    expect(values(diagnosis.causes[0])).toContain('session 4711: holds the row of the promotion for 42s (dba, psql)');
    expect(diagnosis.causes[0]?.remedies[0]?.text).toContain('select pg_terminate_backend(4711)');
    // Our own transactions hold it for a moment all the time.
    const own = { ...block, ageMs: 5 };
    expect(diagnose(caseOf(stage, id, { database: { ...CALM, blocks: [own] } })).causes).toEqual([]);
  });

  it('database.read_only and database.disk_full stop everything', () => {
    const { stage, id } = stageAt();
    const disk = { path: '/var/lib/stella', freeBytes: 1_048_576 };
    const diagnosis = diagnose(caseOf(stage, id, { database: { ...CALM, isReadOnly: true, disk } }));
    expect(codes(diagnosis)).toEqual(['database.read_only', 'database.disk_full']);
    expect(values(diagnosis.causes[1])).toContain('1 MiB free at /var/lib/stella');
  });

  it('database.slow, database.connections and clock.skew are told beside a trouble only', () => {
    const { stage, id } = stageAt();
    const server = { hostname: 'host-1', version: '1.0.0', clockAheadMs: -9 * SECOND };
    const database = { ...CALM, readMs: 3 * SECOND, connectionCount: 99 };
    expect(diagnose(caseOf(stage, id, { server, database })).causes).toEqual([]);
    stage.wait(90 * SECOND);
    expect(codes(diagnose(caseOf(stage, id, { server, database })))).toEqual([
      'worker.blocked',
      'database.slow',
      'database.connections',
      'clock.skew',
    ]);
  });

  it('database.connections comes before worker.none: an orchestrator that is started gets none', () => {
    const { stage, id } = stageAt();
    stage.wait(90 * SECOND);
    const database = { ...CALM, connectionCount: 99 };
    const whole = withRow(caseOf(stage, id, { workers: [], database }), { workerId: null });
    expect(codes(diagnose(whole))).toEqual(['database.connections', 'worker.none']);
  });
});

describe('unknown', () => {
  it('is said when nothing explains a stall, with what was ruled out', () => {
    const stage = makeStage({ definition: makeDefinition({ gates: [makeHttpGate()], targets: [makeTarget()] }) });
    const id = stage.create();
    stage.look(id);
    stage.wait(11 * MINUTE);
    const whole = caseOf(stage, id);
    const { snapshot } = whole.subject;
    const empty = { ...whole, subject: { ...whole.subject, snapshot: { ...snapshot, attempts: [] } } };
    const diagnosis = diagnose(withRow(empty, { nextActionAtMs: stage.nowMs() }));
    expect(diagnosis).toMatchObject({ verdict: 'stalled', causes: [{ code: 'unknown', confidence: 'likely' }] });
    expect(diagnosis.ruledOut.map((fact) => fact.source)).toEqual([
      'workers',
      'database',
      'attempts',
      'locks',
      'server',
    ]);
  });
});

describe('an ended promotion', () => {
  it('has no cause when it completed', () => {
    const stage = makeStage();
    const id = stage.create();
    stage.play(id);
    expect(diagnose(caseOf(stage, id))).toMatchObject({ verdict: 'ended', summary: 'completed', causes: [] });
  });
});
