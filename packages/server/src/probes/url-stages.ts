/** An address → its stages, with the answer's status judged: authentication first, then whether the service is well. */
import type { ProbeStage } from '@stella/domain';
import type { NetworkLookOrder, NetworkProbe } from '../ports/network-probe.ts';

export interface UrlExpectation {
  /** Why a status is not what a well service answers; null when it is. */
  readonly judge: (status: number) => string | null;
  /** Whether a credential goes with the request: else a refusal is only asked for, not of one that was given. */
  readonly hasCredential: boolean;
}

/** `dns`, `tcp`, `tls`, `auth`, `answer`. Never rejects. */
export async function lookAtUrl(
  network: NetworkProbe,
  order: NetworkLookOrder,
  { judge, hasCredential }: UrlExpectation,
): Promise<readonly ProbeStage[]> {
  const { stages, answer } = await network.look(order);
  const before = (stage: ProbeStage['stage']): ProbeStage => skippedStage(stage, 'not reached');
  if (answer === null) return [...stages, before('auth'), before('answer')];
  if (answer.kind === 'failure') return [...stages, before('auth'), answer.stage];
  const { status, durationMs } = answer;
  const said = `${order.method} answered ${status}`;
  if (status === 401 || status === 403 || status === 407) {
    const detail = `${said}: ${hasCredential ? 'the credential was refused' : 'it wants a credential, and none is sent'}`;
    const refused: ProbeStage = { stage: 'auth', outcome: 'failed', durationMs, code: 'auth.refused', detail };
    return [...stages, refused, before('answer')];
  }
  const auth: ProbeStage = hasCredential
    ? { stage: 'auth', outcome: 'ok', durationMs: 0, code: null, detail: 'the credential was accepted' }
    : skippedStage('auth', 'no credential is sent');
  const wrong = judge(status);
  if (wrong !== null) {
    const failed: ProbeStage = {
      stage: 'answer',
      outcome: 'failed',
      durationMs,
      code: 'answer.status',
      detail: `${said}: ${wrong}`,
    };
    return [...stages, auth, failed];
  }
  return [...stages, auth, { stage: 'answer', outcome: 'ok', durationMs, code: null, detail: said }];
}

export function skippedStage(stage: ProbeStage['stage'], detail: string): ProbeStage {
  return { stage, outcome: 'skipped', durationMs: 0, code: 'probe.skipped', detail };
}

/** Any answer of a service that lives: a method or path that it does not know for HEAD is no fault of it. */
export function isAliveStatus(status: number): string | null {
  return status >= 500 && status !== 501 ? 'the service has a fault of its own' : null;
}

/** What a path that is there for probes, or an endpoint of a standard, answers. */
export function isGoodStatus(status: number): string | null {
  return status >= 200 && status < 400 ? null : 'expected 200 to 399';
}
