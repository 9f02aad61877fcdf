/** Probes and credentials as the API shows them; no form holds a secret, for the reports hold none. */
import type { Answer } from '@stella/contract';
import { failedStage, type ProbeReport, type ProbeStage, toRfc3339 } from '@stella/domain';
import { presentInstant } from './values.ts';

export function presentProbe({
  subject,
  atMs,
  isOk,
  stages,
}: ProbeReport): Answer<'probeConnectivity'>['items'][number] {
  return {
    ...subject,
    at: toRfc3339(atMs),
    isOk,
    stages: stages.map(({ stage, outcome, durationMs, code, detail, expiresAtMs }) => ({
      stage,
      outcome,
      durationMs,
      code,
      detail,
      expiresAt: presentInstant(expiresAtMs ?? null),
    })),
  };
}

/** What a look says about the credential that went with it. */
export function presentCredential(
  report: ProbeReport,
  reference: string | null,
): Answer<'verifyCredentials'>['items'][number] {
  const { subject, stages } = report;
  const own = subject.kind === 'target' ? ownOfTarget(report) : stages.find(({ stage }) => stage === 'auth');
  const failed = failedStage(report);
  // Of a host that is not reached it was not read.
  const isResolved = reference === null || own === undefined ? null : own.code !== 'auth.secret_missing';
  const about = { kind: subject.kind, name: subject.name, reference, isResolved };
  // It signs: whether the other side has the same one is seen by its first callback.
  if (subject.kind === 'gate' && isResolved === true && own?.outcome === 'ok') {
    return { ...about, isAccepted: null, detail: 'it can be read; the first callback shows whether it is the same' };
  }
  if (own?.outcome === 'failed') return { ...about, isAccepted: false, detail: own.detail };
  if (own?.outcome === 'ok') return { ...about, isAccepted: true, detail: own.detail };
  // Whoever answers without one has let us in.
  if (failed === null) return { ...about, isAccepted: true, detail: 'let in without a credential' };
  return { ...about, isAccepted: null, detail: `not reached: ${failed.stage}: ${failed.detail}` };
}

/** To write there, or to log in on its host; a fence on a host has no stage of its own for rights. */
function ownOfTarget({ stages }: ProbeReport): ProbeStage | undefined {
  return (
    stages.find(({ stage }) => stage === 'rights') ??
    stages.find(({ code }) => code?.startsWith('rights.')) ??
    stages.find(({ stage }) => stage === 'auth')
  );
}
