import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeApi } from './openapi.ts';
import { ROUTE_NAMES } from './routes.ts';

const REDOCLY = join(import.meta.dirname, '..', '..', '..', 'node_modules', '.bin', 'redocly');

interface Checked {
  readonly totals: { readonly errors: number; readonly warnings: number; readonly ignored: number };
  readonly problems: readonly unknown[];
}

describe('the API description', () => {
  it('is clean under the rules `recommended`, with none turned off', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stella-openapi-'));
    writeFileSync(join(folder, 'openapi.json'), JSON.stringify(describeApi('0.1.0')));
    writeFileSync(join(folder, 'redocly.yaml'), 'extends: [recommended]\n');
    const text = await new Promise<string>((resolve) => {
      const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
      execFile(REDOCLY, ['lint', 'openapi.json', '--format=json'], { cwd: folder, env }, (_error, stdout) =>
        resolve(stdout),
      );
    });
    rmSync(folder, { recursive: true });
    // The checker's report.
    const { totals, problems } = JSON.parse(text) as Checked;
    expect(problems).toEqual([]);
    expect(totals).toMatchObject({ errors: 0, warnings: 0, ignored: 0 });
  });

  it('has one operation for each route', () => {
    const { paths } = describeApi('0.1.0') as { paths: Readonly<Record<string, Readonly<Record<string, unknown>>>> };
    const operations = Object.values(paths).flatMap((item) => Object.values(item) as { operationId: string }[]);
    expect(operations.map((one) => one.operationId).sort()).toEqual([...ROUTE_NAMES].sort());
  });
});
