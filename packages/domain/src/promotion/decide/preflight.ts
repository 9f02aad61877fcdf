/**
 * Step 3, short and under lock: every target is probed once more, and the right to deploy is asked in the transaction
 * that writes the deploy intents.
 */
import {
  endPromotion,
  type Draft,
  lastAttempt,
  moveToStep,
  openAttempt,
  requireGuard,
  updatePromotion,
} from './draft.ts';
import { endOvertaken, isOvertaken } from './evaluate-gates.ts';
import { beginDeploy } from './deploy.ts';
import { reopenGates } from './obstacles.ts';
import type { Attempt } from '../promotion.ts';

/** All probes of a preflight together; a probe's own time-out is never longer. */
export const PREFLIGHT_MAX_MS = 30_000;

export function beginPreflight(draft: Draft): void {
  const { nowMs } = draft.context;
  updatePromotion(draft, { deployDeadlineAtMs: nowMs + draft.promotion.definition.deployDeadlineMs });
  const timeoutMs = Math.min(draft.snapshot.settings['probe.timeout'], PREFLIGHT_MAX_MS);
  for (const target of draft.promotion.definition.targets) {
    openAttempt(draft, { purpose: 'preflight_target', subject: target.name, timeoutMs });
  }
}

export function decidePreflight(draft: Draft): void {
  const attempts = draft.promotion.definition.targets.flatMap((target): Attempt[] => {
    const attempt = lastAttempt(draft, 'preflight_target', target.name);
    return attempt ? [attempt] : [];
  });
  if (attempts.some((attempt) => attempt.result === null)) return;
  const broken = attempts.filter((attempt) => attempt.result?.outcome !== 'succeeded');
  if (broken.length > 0) {
    const message = broken.map((attempt) => `${attempt.subject}: ${attempt.result?.message ?? ''}`).join('; ');
    endPromotion(draft, 'failed', { code: 'preflight.failed', message });
    return;
  }
  if (!requireGuard(draft)) return;
  if (isOvertaken(draft)) {
    endOvertaken(draft);
    return;
  }
  if (reopenGates(draft)) return;
  moveToStep(draft, 'deploy', { state: 'succeeded', message: `${attempts.length} targets answered` });
  beginDeploy(draft);
}
