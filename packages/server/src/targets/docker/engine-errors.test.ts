import { describe, expect, it } from 'vitest';
import { EngineFailure } from '../../ports/docker-engine.ts';
import { toEngineError, toPullError } from './engine-errors.ts';
import { SwitchBroken } from './switch-container.ts';

describe('what an engine says', () => {
  it.each([
    [new EngineFailure(null, 'socket hang up'), 'Cannot connect to the Docker daemon', 'target.engine_down'],
    [new EngineFailure(null, 'socket hang up'), 'permission denied while trying to connect', 'target.denied'],
    [new EngineFailure(null, 'socket hang up'), 'stella: 1: exec: docker: not found', 'target.program_missing'],
    [new EngineFailure(null, 'socket hang up'), 'docker: cannot be started (ENOENT)', 'target.program_missing'],
    [new EngineFailure(500, 'write /x: no space left on device'), '', 'target.disk_full'],
    [new EngineFailure(404, 'network shop not found'), '', 'target.engine_refused'],
  ])('%s is told as %s', (failure, stderr, code) => {
    expect(toEngineError(failure, 'api', stderr)).toMatchObject({ code });
  });

  it.each([
    ['Get http://r/v2/a/manifests/sha256:1: no basic auth credentials', 'registry.denied'],
    ['Head http://r/v2/a/manifests/sha256:1: unauthorized: authentication required', 'registry.denied'],
    ['manifest for r/a@sha256:1 not found: manifest unknown: manifest unknown', 'registry.artifact_missing'],
    ['no matching manifest for linux/amd64 in the manifest list entries', 'registry.bad_manifest'],
    ['Get http://r/v2/: dial tcp 127.0.0.1:5000: connect: connection refused', 'registry.unreachable'],
    ['write /var/lib/docker/tmp/x: no space left on device', 'target.disk_full'],
  ])('of a pull, "%s", is told as %s', (message, code) => {
    const pull = { target: 'api', repository: 'r/a', digest: 'sha256:1', registry: 'r' };
    expect(toPullError(new EngineFailure(500, message), pull)).toMatchObject({ code });
  });

  it('names what a broken switch was cut off by', () => {
    expect(new SwitchBroken(new EngineFailure(null, 'the stream has ended')).message).toBe('the stream has ended');
  });
});
