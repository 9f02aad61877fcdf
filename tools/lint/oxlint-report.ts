/** Reads the JSON report of oxlint. */
import type { Finding } from '../code/finding.ts';

export interface OxlintReport {
  readonly findings: readonly Finding[];
  readonly fileCount: number;
}

/** Throws when the text is not such a report: a lint that cannot be read has not passed. */
export function parseOxlintReport(text: string, toPath: (path: string) => string): OxlintReport {
  const report: unknown = JSON.parse(text);
  const fileCount = memberOf(report, 'number_of_files');
  const diagnostics = memberOf(report, 'diagnostics');
  if (typeof fileCount !== 'number' || !Array.isArray(diagnostics)) {
    throw new Error('the report of oxlint lacks "number_of_files" or "diagnostics"');
  }
  return { fileCount, findings: diagnostics.map((diagnostic: unknown) => toFinding(diagnostic, toPath)) };
}

function toFinding(diagnostic: unknown, toPath: (path: string) => string): Finding {
  const labels = memberOf(diagnostic, 'labels');
  const line = memberOf(memberOf(Array.isArray(labels) ? labels[0] : null, 'span'), 'line');
  return {
    path: toPath(textOf(diagnostic, 'filename')),
    line: typeof line === 'number' ? line : 1,
    rule: textOf(diagnostic, 'code'),
    message: textOf(diagnostic, 'message'),
    remedy: textOf(diagnostic, 'help') || `see ${textOf(diagnostic, 'url')}`,
  };
}

function textOf(value: unknown, key: string): string {
  const text = memberOf(value, key);
  return typeof text === 'string' ? text.replaceAll(/\s+/g, ' ') : '';
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  // Any object may be read as a record of unknown members.
  return (value as Readonly<Record<string, unknown>>)[key];
}
