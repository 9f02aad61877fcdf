/** A server is killed while it looks at targets between promotions: what drifts is told once, and so is its end. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@stella/testkit';
import { expect } from 'vitest';
import { environment } from './crash-stage.ts';
import { applyEnvironment, type Play, promote, type Scenario } from './scenarios.ts';

/** A claim of a dead server ends after 12 s, and it may be killed at the next one, too. */
const WAIT_MS = 90_000;

/** Somebody changes a file and changes it back; then changes it again, and the target goes. */
export const drift: Scenario = async (play) => {
  const { stage, strike } = play;
  const name = await applyEnvironment(play, {});
  await stage.until(await promote(play, name, 'odd'), 'completed');
  await look(play, '1s');
  await strike();
  const page = join(stage.place.targets, name, 'current', 'index.html');
  const before = await readFile(page, 'utf8');
  await writeFile(page, 'by hand');
  await untilState(play, name, 'drifted');
  await writeFile(page, before);
  await untilState(play, name, 'as_promised');
  await writeFile(page, 'by hand again');
  await untilState(play, name, 'drifted');
  const text = (await environment(stage, { name })).replace('name: web,', 'name: web-2,');
  await stage.caller()('applyDefinitions', { body: { documents: [{ file: 'place.yaml', text }] } });
  await untilState(play, name, 'untouched');
  expect(await toldOf(play, name)).toEqual(['drift.began', 'drift.ended', 'drift.began', 'drift.ended']);
  await look(play, null);
};

async function look({ stage }: Play, every: string | null): Promise<void> {
  for (const setting of ['observe.every', 'observe.timeout']) {
    await stage.caller()('changeSetting', { parameters: { setting }, body: { value: every } });
  }
}

/** By a look between promotions. */
async function untilState({ stage }: Play, name: string, state: string): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    const { targets } = await stage.caller()('getEnvironmentStatus', { parameters: { environment: name } });
    return targets.every((one) => one.state === state && one.observation !== null);
  };
  await waitFor(isThere, { timeoutMs: WAIT_MS, why: `it is ${state}` });
}

async function toldOf({ stage }: Play, name: string): Promise<readonly unknown[]> {
  const rows = await stage.asOwner(
    `select type from events where subject = '${name}' and starts_with(type, 'drift.') order by id`,
  );
  return rows.map((row) => row['type']);
}
