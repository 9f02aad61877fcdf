/** What a system test has measured: lines that `npm run test:system` prints at its very end, one JSON object each. */
import { appendFileSync } from 'node:fs';
import { FIGURES_VARIABLE } from '../../tools/testing/figures.ts';

/** Started by itself, a test only prints them. */
export function recordFigures(figures: object): void {
  const line = JSON.stringify(figures);
  console.log(line);
  const path = process.env[FIGURES_VARIABLE];
  if (path !== undefined) appendFileSync(path, `${line}\n`);
}
