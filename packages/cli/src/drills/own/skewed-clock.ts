/** A machine whose clock is wrong: what its orchestrator reads as the time of day. PostgreSQL beside it has the right one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DrillPlace } from '../place.ts';

/** Loaded into the processes of the orchestrator before anything else; read once, so that a restart corrects it. */
const PRELOAD = `const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const Right = Date;
const aheadMs = Number(readFileSync(join(__dirname, 'clock-ahead-ms'), 'utf8'));
globalThis.Date = class Date extends Right {
  constructor(...given) {
    if (given.length === 0) super(Right.now() + aheadMs);
    else super(...given);
  }
  static now() {
    return Right.now() + aheadMs;
  }
};
`;

export function setClock({ directory }: DrillPlace, aheadMs: number): void {
  writeFileSync(join(directory, 'clock-ahead-ms'), String(aheadMs));
}

export function makeSkewedClock(place: DrillPlace, aheadMs: number): void {
  setClock(place, aheadMs);
  writeFileSync(join(place.directory, 'clock.cjs'), PRELOAD);
}

/** For its processes. */
export function skewedVariables({ directory }: DrillPlace): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--require=${join(directory, 'clock.cjs')}` };
}
