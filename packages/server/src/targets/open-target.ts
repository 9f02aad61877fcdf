/** From a definition to the verbs of its kind. */
import type { OpenTarget } from '../ports/target.ts';
import { openCommandTarget } from './command-target.ts';
import { openComposeTarget } from './compose-target.ts';
import { openDockerTarget } from './docker-target.ts';
import { openFilesTarget } from './files-target.ts';
import type { TargetDeps } from './target-deps.ts';

/** Keeps no state but what is at the targets: one serves all callers at once. What is wrong shows in `probe`. */
export function makeOpenTarget(deps: TargetDeps): OpenTarget {
  return (definition, environment) => {
    switch (definition.kind) {
      case 'files':
        return openFilesTarget(definition, environment, deps);
      case 'command':
        return openCommandTarget(definition, environment, deps);
      case 'docker':
        return openDockerTarget(definition, environment, deps);
      case 'compose':
        return openComposeTarget(definition, environment, deps);
    }
  };
}
