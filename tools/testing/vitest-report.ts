/** Reads the JSON report of vitest into a tally. */
import { relative } from 'node:path';
import type { Tally } from './tally.ts';

/** The members that we read of the report, which follows the format of jest. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/**
 * Names are `path > full name`. A file that failed outside of its tests (an import, a hook) counts as one failure, and
 * so does a run that failed for a reason that no test shows, such as an unhandled rejection.
 */
export function parseVitestReport(text: string, run: { phase: string; root: string; exitCode: number | null }): Tally {
  // Written by the pinned vitest; a report of another shape makes the mapping below throw, which fails the run.
  const report = JSON.parse(text) as Report;
  const tests = report.testResults.flatMap((file) =>
    file.assertionResults.map((test) => ({ ...test, name: `${relative(run.root, file.name)} > ${test.fullName}` })),
  );
  const failed = tests.filter((test) => test.status === 'failed').map((test) => test.name);
  for (const file of report.testResults) {
    const isExplained = file.assertionResults.some((test) => test.status === 'failed');
    if (file.status === 'failed' && !isExplained)
      failed.push(`${relative(run.root, file.name)} (outside of its tests)`);
  }
  if (report.testResults.length === 0) failed.push(`${run.phase}: no test file was found`);
  if (run.exitCode !== 0 && failed.length === 0) {
    failed.push(
      `${run.phase}: vitest ended with ${run.exitCode ?? 'a signal'} although no test failed; see its output`,
    );
  }
  return {
    passed: tests.filter((test) => test.status === 'passed').length,
    failed,
    skipped: tests.filter((test) => test.status !== 'passed' && test.status !== 'failed').map((test) => test.name),
  };
}
