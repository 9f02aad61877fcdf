/** Whether a container is well: by its own health check, or for one without by staying up. */
import type { ContainerHealthCheck } from '@stella/domain';
import type { Clock } from '../../ports/clock.ts';
import type { DockerEngine, EngineContainer } from '../../ports/docker-engine.ts';
import type { CallScope } from '../call-scope.ts';
import type { Health } from '../health-check.ts';

/** A program that cannot run at all ends within this; one that ends later needs a health check to be noticed. */
const SETTLE_MS = 1_000;

/** For people: why it does not run; null when it does. */
export function whyNotRunning({ name, state, exitCode, error }: EngineContainer): string | null {
  if (state === 'running') return null;
  if (state === 'exited' || state === 'dead' || state === 'restarting') {
    const words = state === 'restarting' ? 'ends and is restarted' : 'has ended';
    return `container ${name} ${words}, with exit code ${exitCode}${error === '' ? '' : `: ${error}`}`;
  }
  return `container ${name} is ${state}`;
}

/** It runs, and a moment later still does, from the same start. */
export async function checkSteady(engine: DockerEngine, container: EngineContainer, scope: CallScope): Promise<Health> {
  const problem = whyNotRunning(container);
  if (problem !== null) return { isHealthy: false, message: problem };
  await scope.pause(SETTLE_MS);
  scope.check();
  const later = await engine.inspect(container.id);
  if (!later) return { isHealthy: false, message: `container ${container.name} is gone` };
  const message = whyNotRunning(later) ?? (later.startedAt === container.startedAt ? '' : restarted(later));
  return { isHealthy: message === '', message };
}

function restarted({ name }: EngineContainer): string {
  return `container ${name} ends and is restarted`;
}

/** Looks until the container's own health check has said what it thinks, at most until the deadline of the check. */
export async function waitForHealth(
  engine: DockerEngine,
  id: string,
  { check, clock }: { readonly check: ContainerHealthCheck; readonly clock: Pick<Clock, 'monotonicMs'> },
  scope: CallScope,
): Promise<Health> {
  const endsAtMs = clock.monotonicMs() + Math.min(check.deadlineMs, scope.timeoutMs);
  // Until it is healthy or not, or the time or the call is over.
  for (;;) {
    const container = await engine.inspect(id);
    if (!container) return { isHealthy: false, message: 'the container is gone' };
    const problem = problemOf(container);
    if (problem === null) return { isHealthy: true, message: '' };
    const leftMs = endsAtMs - clock.monotonicMs();
    if (scope.ending() === 'aborted') scope.check();
    if (!problem.mayMend || leftMs <= 0 || scope.ending() !== null)
      return { isHealthy: false, message: problem.message };
    await scope.pause(Math.min(check.intervalMs, leftMs));
  }
}

/** Null: healthy. Only what has not been decided yet may still mend. */
function problemOf(container: EngineContainer): { readonly message: string; readonly mayMend: boolean } | null {
  const { name, health, healthOutput } = container;
  const stopped = whyNotRunning(container);
  if (stopped !== null) return { message: stopped, mayMend: container.state === 'restarting' };
  const said = healthOutput === '' ? '' : `: ${healthOutput}`;
  switch (health) {
    case 'healthy':
      return null;
    case 'none':
      return { message: `container ${name} has no health check; its image should bring one`, mayMend: false };
    case 'starting':
      return { message: `container ${name} is not healthy yet${said}`, mayMend: true };
    case 'unhealthy':
      return { message: `container ${name} says that it is unhealthy${said}`, mayMend: false };
  }
}
