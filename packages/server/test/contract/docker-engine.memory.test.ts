import { describeDockerEngine } from './docker-engine.contract.ts';
import { makeMemoryDockerHost } from './memory-docker-engine.ts';

describeDockerEngine('in memory', () => {
  const host = makeMemoryDockerHost();
  const repository = 'registry.example:5000/shop/api';
  const digest = `sha256:${'1'.repeat(64)}`;
  host.registry.push({ repository, digest });
  return Promise.resolve({ open: () => host.open(), repository, digest, close: () => Promise.resolve() });
});
