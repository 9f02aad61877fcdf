import { describe, expect, it } from 'vitest';
import { failedStage, formatProbeSubject, makeFreshProbe, type ProbeStage } from './probe-report.ts';

const SUBJECT = { kind: 'gate', environment: 'prod', name: 'tests' } as const;
const OK: ProbeStage = { stage: 'dns', outcome: 'ok', durationMs: 1, code: null, detail: '127.0.0.1' };
const REFUSED: ProbeStage = { stage: 'tcp', outcome: 'failed', durationMs: 2, code: 'tcp.refused', detail: 'nobody' };
const SKIPPED: ProbeStage = { stage: 'tls', outcome: 'skipped', durationMs: 0, code: 'probe.skipped', detail: '' };

describe('a probe report', () => {
  it('is ok while no stage failed, whatever was skipped', () => {
    expect(makeFreshProbe(SUBJECT, [OK, SKIPPED]).isOk).toBe(true);
    expect(failedStage({ stages: [OK, SKIPPED] })).toBeNull();
  });

  it('names the stage that failed', () => {
    const report = makeFreshProbe(SUBJECT, [OK, REFUSED, SKIPPED]);
    expect(report.isOk).toBe(false);
    expect(failedStage(report)).toBe(REFUSED);
  });

  it('tells subjects of the same name apart', () => {
    expect(formatProbeSubject(SUBJECT)).toBe('gate tests@prod');
    expect(formatProbeSubject({ ...SUBJECT, kind: 'target' })).toBe('target tests@prod');
  });
});
