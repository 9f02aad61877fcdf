/**
 * Everything that an operator may want to change: named, with unit, range, default and reason. Durations are written as
 * `30s`, `24h` and kept as milliseconds; counts and bytes are whole numbers. A choice between words is kept as the place
 * of the word in its list, so that every value is one number in the database; words are only ever added at the end.
 */
import { AppError } from '../errors/app-error.ts';
import { formatDuration, parseDuration } from '../values/duration.ts';
import { GATE_SETTINGS, type GateSettingKey, isGateSettingKey, partsOfGateKey } from './gate-settings.ts';
import { nearestOf } from '../values/nearest.ts';
import { isQuotaSettingKey, partsOfQuotaKey, type QuotaSettingKey, quotaSettingEntry } from './quota-settings.ts';

export type SettingUnit = 'duration' | 'count' | 'bytes' | 'word';

export interface SettingEntry {
  readonly unit: SettingUnit;
  /** Null: something else says it, such as the definition of a gate. */
  readonly standard: number | null;
  readonly min: number;
  readonly max: number;
  /** Of the unit `word` only. */
  readonly words?: readonly string[];
  readonly purpose: string;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type FixedEntry = SettingEntry & { readonly standard: number };

const duration = (standard: number, min: number, max: number, purpose: string): FixedEntry => ({
  unit: 'duration',
  standard,
  min,
  max,
  purpose,
});

interface WordEntry<Word extends string> extends FixedEntry {
  readonly unit: 'word';
  readonly words: readonly Word[];
}

const word = <Word extends string>(words: readonly [Word, ...Word[]], purpose: string): WordEntry<Word> => ({
  unit: 'word',
  words,
  // The first is the default.
  standard: 0,
  min: 0,
  max: words.length - 1,
  purpose,
});

export const SETTINGS = {
  'stuck.after': duration(
    10 * MINUTE,
    1 * SECOND,
    20 * MINUTE,
    'in_progress without progress for so long counts as stalled',
  ),
  'locks.timeout': duration(
    30 * SECOND,
    1 * SECOND,
    1 * HOUR,
    'a wait for a lock is shown as in_progress for so long, then as queued',
  ),
  'locks.mode': word(
    ['pessimistic', 'optimistic'],
    'locks are taken before preflight, or only when it has succeeded; counts for locks that are taken from then on',
  ),
  'queue.maxWait': duration(24 * HOUR, 1 * MINUTE, 30 * DAY, 'a promotion that got no lock for so long fails'),
  'gates.holdFor': duration(
    60 * MINUTE,
    1 * SECOND,
    7 * DAY,
    'after its last attempt a gate without verdict is held for so long',
  ),
  'skips.expireAfter': duration(
    1 * HOUR,
    1 * SECOND,
    24 * HOUR,
    'an approved skip of a gate that no deploy has used lapses after so long',
  ),
  'debts.interval': duration(
    10 * MINUTE,
    1 * SECOND,
    7 * DAY,
    'pause before a skipped gate is asked again for the release that runs',
  ),
  'precheck.holdFor': duration(
    60 * MINUTE,
    1 * SECOND,
    7 * DAY,
    'a precheck that does not pass is repeated for so long',
  ),
  'precheck.interval': duration(30 * SECOND, 1 * SECOND, 1 * HOUR, 'pause before a precheck is repeated'),
  'probe.timeout': duration(10 * SECOND, 100, 30 * SECOND, 'deadline of one probe of a target or artifact'),
  'observe.mode': word(
    ['scheduled', 'off'],
    'targets are looked at every observe.every, or only by promotions; what was found stays as it is',
  ),
  'observe.every': duration(
    5 * MINUTE,
    1 * SECOND,
    7 * DAY,
    'pause between two looks at what the targets of an environment really run',
  ),
  'observe.timeout': duration(30 * SECOND, 1 * SECOND, 10 * MINUTE, 'one such look at one target may take so long'),
  'retention.attemptOutput': duration(
    90 * DAY,
    1 * HOUR,
    3_650 * DAY,
    'captured output of attempts, and what services called back with, is kept for so long',
  ),
  'retention.idempotencyKeys': duration(
    72 * HOUR,
    1 * HOUR,
    30 * DAY,
    'a repeated Idempotency-Key gets the same answer for so long',
  ),
  'retention.events': duration(
    3_650 * DAY,
    1 * DAY,
    3_650 * DAY,
    'audit events are kept for so long after their promotion ended',
  ),
  'limits.promotionEvents': {
    unit: 'count',
    standard: 5_000,
    min: 100,
    max: 100_000,
    purpose: 'events of one promotion; its repeats stop there',
  },
  'limits.targetsAtOnce': {
    unit: 'count',
    standard: 20,
    min: 1,
    max: 200,
    purpose: 'targets of one promotion that are probed, deployed, observed or sealed at the same time',
  },
  'limits.attemptOutput': {
    unit: 'bytes',
    standard: 16_384,
    min: 256,
    max: 1_048_576,
    purpose: 'captured output of one attempt',
  },
} as const satisfies Record<string, FixedEntry>;

export type SettingKey = keyof typeof SETTINGS;
type WordSettingKey = {
  readonly [Key in SettingKey]: (typeof SETTINGS)[Key] extends WordEntry<string> ? Key : never;
}[SettingKey];
// Its keys, all of them: it is a constant.
export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];

/** Also those of gates and of quotas, of which there are as many as gates and environments. */
export type AnySettingKey = SettingKey | GateSettingKey | QuotaSettingKey;

/** Milliseconds, counts, bytes or places of words by key. */
export type Settings = Readonly<Record<SettingKey, number>> &
  Readonly<Partial<Record<GateSettingKey | QuotaSettingKey, number>>>;

/** What is known of a setting. */
export function settingEntryOf(key: AnySettingKey): SettingEntry {
  const quota = partsOfQuotaKey(key);
  if (quota) return quotaSettingEntry(quota.quota);
  const parts = partsOfGateKey(key);
  // Whatever is neither a key of a gate nor of a quota is one of the table.
  return parts ? { ...GATE_SETTINGS[parts.setting], standard: null } : SETTINGS[key as SettingKey];
}

// Made from every key.
export const STANDARD_SETTINGS: Settings = Object.fromEntries(
  SETTING_KEYS.map((key) => [key, SETTINGS[key].standard]),
) as Settings;

/** `wordSetting(settings, 'locks.mode')` → `'pessimistic'`. A place that this version does not know counts as the default. */
export function wordSetting<Key extends WordSettingKey>(
  settings: Settings,
  key: Key,
): (typeof SETTINGS)[Key]['words'][number] {
  const { words, standard } = SETTINGS[key];
  const chosen = words[settings[key]] ?? words[standard];
  if (chosen === undefined) throw new RangeError(`the setting ${key} has no words`);
  return chosen;
}

/** Milliseconds, a count, bytes or a word as it is written: `30s`, `5000`, `optimistic`. */
export function formatSetting(key: AnySettingKey, value: number): string {
  const { unit, words } = settingEntryOf(key);
  if (words) return words[value] ?? String(value);
  return unit === 'duration' ? formatDuration(value) : String(value);
}

/** Text → key. Throws `setting.not_found`, naming the nearest. */
export function settingKeyOf(text: string): AnySettingKey {
  if (isGateSettingKey(text) || isQuotaSettingKey(text)) return text;
  const key = SETTING_KEYS.find((one) => one === text);
  if (key !== undefined) return key;
  const nearest = nearestOf(text, SETTING_KEYS);
  const hint = nearest === null ? {} : { hint: `did you mean "${nearest}"?` };
  throw new AppError('setting.not_found', { details: { name: text, nearest }, ...hint });
}

/** Text → value of that setting. Throws `setting.invalid` with the allowed range, or words. */
export function parseSetting(key: AnySettingKey, text: string): number {
  const entry = settingEntryOf(key);
  if (entry.words) return parseWord(key, text, entry.words);
  const show = (value: number): string => formatSetting(key, value);
  const refuse = (message: string, cause?: unknown): AppError =>
    new AppError('setting.invalid', { details: { name: key, message }, cause });
  let value: number;
  try {
    value = entry.unit === 'duration' ? parseDuration(text) : parseCount(text);
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : 'not a duration', error);
  }
  if (!Number.isInteger(value) || value < entry.min || value > entry.max) {
    throw refuse(`"${text}" is outside of ${show(entry.min)} to ${show(entry.max)}`);
  }
  return value;
}

function parseWord(key: AnySettingKey, text: string, words: readonly string[]): number {
  const place = words.indexOf(text);
  if (place >= 0) return place;
  const nearest = nearestOf(text, words);
  const hint = nearest === null ? {} : { hint: `did you mean "${nearest}"?` };
  const message = `"${text}" is none of ${words.join(', ')}`;
  throw new AppError('setting.invalid', { details: { name: key, message, nearest }, ...hint });
}

/** Digits only: `0x10`, `1e3`, ` 5` and the empty text are slips. NaN for those. */
function parseCount(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}
