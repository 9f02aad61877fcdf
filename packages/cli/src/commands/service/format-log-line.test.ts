import { describe, expect, it } from 'vitest';
import { formatLogLine } from './format-log-line.ts';

describe('formatLogLine', () => {
  it.each([
    [
      '{"level":"info","time":"2026-11-26T02:06:07.000Z","pid":7,"why":"no lease","msg":"the worker stopped"}',
      '2026-11-26T02:06:07.000Z info  the worker stopped pid=7 why="no lease"',
    ],
    ['stella 0.1.0 listens on http://127.0.0.1:8484', 'stella 0.1.0 listens on http://127.0.0.1:8484'],
    ['{"level":"info","ti', '{"level":"info","ti'],
  ])('shows %j', (line, shown) => {
    expect(formatLogLine(line)).toBe(shown);
  });

  it('lets no control character through', () => {
    expect(formatLogLine('{"msg":"a\\u001b[31mred"}')).not.toContain('\u001b');
  });
});
