/** Options as commander gives them → the values that commands work with. */
import { AppError, parseDuration } from '@stella/domain/client';

type Options = Readonly<Record<string, unknown>>;

export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** Commander has checked that it is there. */
export function requiredText(options: Options, name: string): string {
  const value = textOption(options, name);
  if (value === undefined) throw new AppError('cli.usage', { details: { message: `--${name} is missing` } });
  return value;
}

export function textsOption(options: Options, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : [];
}

export function isSet(options: Options, name: string): boolean {
  return options[name] === true;
}

/** `--wait` → no limit (null), `--wait 5m` → 300,000; undefined when it was not given. */
export function waitOption(options: Options): number | null | undefined {
  const value = options['wait'];
  if (value === undefined) return undefined;
  return typeof value === 'string' ? parseDuration(value) : null;
}

export function countOption(
  options: Options,
  name: string,
  { min, max }: { min: number; max: number },
): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new AppError('cli.usage', { details: { message: `--${name} must be a whole number from ${min} to ${max}` } });
}

export function positional(positionals: readonly string[], index: number): string {
  const value = positionals[index];
  if (value === undefined) throw new AppError('cli.usage', { details: { message: 'an argument is missing' } });
  return value;
}
