import { describe, expect, it } from 'vitest';
import { EngineFailure } from '../../ports/docker-engine.ts';
import { toEngineError } from './engine-errors.ts';
import { SwitchBroken } from './switch-container.ts';

describe('what an engine says', () => {
  it.each([
    [new EngineFailure(null, 'socket hang up'), 'Cannot connect to the Docker daemon', 'target.engine_down'],
    [new EngineFailure(null, 'socket hang up'), 'permission denied while trying to connect', 'target.denied'],
    [new EngineFailure(500, 'write /x: no space left on device'), '', 'target.disk_full'],
    [new EngineFailure(404, 'network shop not found'), '', 'target.engine_refused'],
  ])('%s is told as %s', (failure, stderr, code) => {
    expect(toEngineError(failure, 'api', stderr)).toMatchObject({ code });
  });

  it('names what a broken switch was cut off by', () => {
    expect(new SwitchBroken(new EngineFailure(null, 'the stream has ended')).message).toBe('the stream has ended');
  });
});
