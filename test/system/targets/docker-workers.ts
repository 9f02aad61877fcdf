/** Workers of `docker` targets that stand still or die at a request to the engine, and engines of another time. */
import type { OpenDockerEngine } from '../../../packages/server/src/ports/docker-engine.ts';
import { openDockerEngine } from '../../../packages/server/src/system/docker-engine.ts';

export interface Gate {
  readonly reached: Promise<void>;
  readonly note: () => void;
  readonly opened: Promise<void>;
  readonly open: () => void;
}

export function makeGate(): Gate {
  let note: () => void = () => undefined;
  let open: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => {
    note = resolve;
  });
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { reached, note: () => note(), opened, open: () => open() };
}

type Changing = 'create' | 'start' | 'stop' | 'rename' | 'remove';

/** A worker that stands still just before its first request of that kind. */
export function pausedBefore(request: Changing, gate: Gate): OpenDockerEngine {
  return around(request, async (run) => {
    gate.note();
    await gate.opened;
    return run();
  });
}

/** A worker that dies at its first request of that kind: its stream ends, before or after the engine has done it. */
export function cutAt(request: Changing, when: 'before' | 'after'): OpenDockerEngine {
  return around(request, async (run, close) => {
    if (when === 'after') await run();
    close();
    return run();
  });
}

/** An engine of another time. */
export function ofApi(apiVersion: string): OpenDockerEngine {
  return (stream, signal) => {
    const engine = openDockerEngine(stream, signal);
    return { ...engine, facts: async () => ({ ...(await engine.facts()), apiVersion }) };
  };
}

function around(
  request: Changing,
  act: (run: () => Promise<unknown>, close: () => void) => Promise<unknown>,
): OpenDockerEngine {
  return (stream, signal) => {
    const engine = openDockerEngine(stream, signal);
    const real = engine[request].bind(engine) as (...given: unknown[]) => Promise<unknown>;
    const changed = (...given: unknown[]): Promise<unknown> =>
      act(
        () => real(...given),
        () => engine.close(),
      );
    return { ...engine, [request]: changed };
  };
}
