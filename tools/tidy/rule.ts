/** What a rule of tidy is: a name, and a pure function from a tree to findings. One file per rule, each with a test. */
import type { Finding } from '../code/finding.ts';
import { type ParsedSource, parseTree } from '../code/parse-source.ts';
import type { SourceTree } from '../code/source-tree.ts';

export interface Workspace {
  readonly tree: SourceTree;
  readonly sources: readonly ParsedSource[];
}

export interface Rule {
  readonly name: string;
  check(workspace: Workspace): readonly Finding[];
}

export function readWorkspace(tree: SourceTree): Workspace {
  return { tree, sources: parseTree(tree) };
}

/** A rule that looks at one file at a time. `at` is an offset into its text. */
export function makeFileRule(
  name: string,
  check: (source: ParsedSource, report: (at: number, message: string, remedy: string) => void) => void,
): Rule {
  return {
    name,
    check: ({ sources }) => {
      const findings: Finding[] = [];
      for (const source of sources) {
        check(source, (at, message, remedy) =>
          findings.push({ path: source.path, line: source.lineAt(at), rule: `tidy/${name}`, message, remedy }),
        );
      }
      return findings;
    },
  };
}
