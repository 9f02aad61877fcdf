/**
 * Every command of `stella` as a person types it, with what it says on both streams and its exit code. The transcripts
 * are played in the order of their names on one server; `npx vitest run --project transcript -u` writes them anew.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/commands/all.ts';
import { openStage, type Stage } from './stage.ts';
import { Names, replay } from './transcript.ts';

const FOLDER = join(import.meta.dirname, 'sessions');
const SESSIONS = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.txt'))
  .sort();

let stage: Stage;
const names = new Names();
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.remove());

describe('the command line', () => {
  it.each(SESSIONS)('says what %s tells', async (name) => {
    const path = join(FOLDER, name);
    const text = await replay(readFileSync(path, 'utf8'), stage, names);
    await expect(text).toMatchFileSnapshot(path);
  });

  it('is played with every command', () => {
    const played = SESSIONS.map((name) => readFileSync(join(FOLDER, name), 'utf8')).join('\n');
    const unplayed = COMMANDS.map(({ path }) => `stella ${path.join(' ')}`).filter((words) => !played.includes(words));
    expect(unplayed.filter((words) => words !== 'stella orch serve')).toEqual([]);
  });
});
