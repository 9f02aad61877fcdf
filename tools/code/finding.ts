/**
 * A finding is one breach of one rule at one place, with what to do about it. Every check of this workspace returns
 * findings; only the entry points print them and choose the exit code.
 */
export interface Finding {
  /** Path from the root of the tree, with forward slashes. */
  readonly path: string;
  /** 1-based; 1 when the rule speaks about the whole file. */
  readonly line: number;
  readonly rule: string;
  readonly message: string;
  /** What a reader should do, as an instruction. */
  readonly remedy: string;
}

/** `path:line rule: message; remedy`, one line per finding, in the order of path and line. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings
    .toSorted((a, b) => a.path.localeCompare(b.path) || a.line - b.line || a.rule.localeCompare(b.rule))
    .map((finding) => `${finding.path}:${finding.line} ${finding.rule}: ${finding.message}; ${finding.remedy}`)
    .join('\n');
}
