import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { untilRead } from './process-group.ts';

/** Longer than the grace, and than the program takes. */
const HELD_UP_MS = 1_500;

it('bug: reads what a program has written, although the loop was held up for longer than the grace', async () => {
  const child = spawn('sh', ['-c', 'printf word']);
  let said = '';
  child.stdout.on('data', (chunk) => (said += String(chunk)));
  const closed = new Promise<void>((settle) => child.once('close', () => settle()));
  await new Promise((resolve) => child.once('spawn', resolve));
  const read = untilRead(closed);
  const untilMs = performance.now() + HELD_UP_MS;
  while (performance.now() < untilMs) Math.random();
  await read;
  expect(said).toBe('word');
  await closed;
});
