/** A line of the server's log for people: time, level, words, then the fields. A line of another form stays as it is. */
import { makeHarmless } from '../../harmless.ts';

export function formatLogLine(line: string): string {
  const fields = parse(line);
  if (fields === null) return makeHarmless(line);
  const { time, level, msg, ...rest } = fields;
  const more = Object.entries(rest).map(([name, value]) => `${name}=${textOf(value)}`);
  const head = [textOf(time), textOf(level).padEnd(5), typeof msg === 'string' ? msg : textOf(msg)];
  return makeHarmless([...head, ...more].join(' ').trim()).replace(/\s*\n\s*/g, ' ');
}

function textOf(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value);
}

function parse(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'msg' in value ? { ...value } : null;
  } catch {
    // A line that was cut.
    return null;
  }
}
