import { makeEmptyEnvironment, makeWindowGate } from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WEEKDAYS, type WeeklyTimes, type WindowGateDefinition } from './environment-definition.ts';
import type { PlannedFreeze } from './freeze.ts';
import { freezeNow, lookAtWindow } from './window.ts';
import { isKnownZone, isLocalTime } from './zoned-time.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Jumps of an hour and of half an hour, in both hemispheres, at midnight; a day that was skipped; no jumps at all. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Santiago',
  'Africa/Casablanca',
  'Pacific/Apia',
  'Asia/Kolkata',
] as const;

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  formatters.set(zone, made);
  return made;
}

/** What the wall shows, found by formatting: another way than the one that is tested. */
function wallOf(atMs: number, zone: string): { day: number; time: string; text: string } {
  const parts = formatterOf(zone).formatToParts(atMs);
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? '';
  const time = `${part('hour')}:${part('minute')}`;
  return {
    day: WEEKDAYS.findIndex((name) => name === part('weekday').toLowerCase()),
    time,
    text: `${part('year')}-${part('month')}-${part('day')}T${time}`,
  };
}

/** The wall shows this time twice: within three hours before or after it shows the same. */
function isShownTwice(atMs: number, zone: string): boolean {
  const { text } = wallOf(atMs, zone);
  const offsets = [30, 60, 90, 120, 150, 180].flatMap((minutes) => [-minutes, minutes]);
  return offsets.some((minutes) => wallOf(atMs + minutes * MINUTE_MS, zone).text === text);
}

function isInTimes({ days, from, to }: WeeklyTimes, { day, time }: { day: number; time: string }): boolean {
  const has = (index: number): boolean => days.some((name) => WEEKDAYS.indexOf(name) === (index + 7) % 7);
  if (to > from) return has(day) && from <= time && time < to;
  return (has(day) && time >= from) || (has(day - 1) && time < to);
}

const clock = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom(0, 15, 30, 45))
  .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);
/** Many begin or end in the hours in which clocks jump. */
const anyClock = fc.oneof(clock, fc.constantFrom('00:00', '01:30', '02:00', '02:15', '02:30', '03:00', '23:30'));
const times: fc.Arbitrary<WeeklyTimes> = fc
  .record({
    days: fc.subarray([...WEEKDAYS], { minLength: 1 }),
    from: anyClock,
    to: fc.oneof(anyClock, fc.constant('24:00')),
  })
  .filter(({ from, to }) => from !== to);
const zone = fc.constantFrom(...ZONES);
const gate: fc.Arbitrary<WindowGateDefinition> = fc
  .record({ zone, allow: fc.array(times, { minLength: 1, maxLength: 3 }) })
  .map((patch) => makeWindowGate(patch));
/** Around the jumps of these years, and the day that Apia skipped. */
const NEAR = [
  '2026-03-08',
  '2026-03-29',
  '2026-04-05',
  '2026-09-06',
  '2026-10-04',
  '2026-10-25',
  '2026-11-01',
  '2011-12-30',
];
const moment = fc
  .tuple(fc.constantFrom(...NEAR), fc.integer({ min: -3 * 24 * 60, max: 3 * 24 * 60 }))
  .map(([date, minutes]) => Date.parse(`${date}T00:00:00Z`) + minutes * MINUTE_MS);
const freeze: fc.Arbitrary<PlannedFreeze> = fc
  .record({ near: fc.constantFrom(...NEAR), from: anyClock, to: anyClock, days: fc.integer({ min: 0, max: 3 }), zone })
  .map(({ near, from, to, days, zone: where }) => {
    const end = new Date(Date.parse(`${near}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
    return { from: `${near}T${from}`, to: `${end}T${to}`, zone: where, reason: 'planned' };
  })
  .filter((one) => one.to > one.from);
const OPEN = makeEmptyEnvironment('prod');

describe('the weekly times of a window', () => {
  it('are those that the wall shows, across every jump of the clock', () => {
    fc.assert(
      fc.property(gate, moment, (wanted, nowMs) => {
        fc.pre(!isShownTwice(nowMs, wanted.zone));
        const wall = wallOf(nowMs, wanted.zone);
        expect(lookAtWindow(wanted, OPEN, nowMs).isOpen).toBe(wanted.allow.some((one) => isInTimes(one, wall)));
      }),
      { numRuns: 800, seed: 20_261 },
    );
  });

  it('change exactly when they say, and not before', () => {
    fc.assert(
      fc.property(gate, fc.array(freeze, { maxLength: 2 }), moment, (wanted, plannedFreezes, nowMs) => {
        const place = { ...OPEN, plannedFreezes };
        const { isOpen, changesAtMs } = lookAtWindow(wanted, place, nowMs);
        const endMs = changesAtMs ?? nowMs + 15 * DAY_MS;
        expect(endMs).toBeGreaterThan(nowMs);
        const looks = [0.1, 0.35, 0.6, 0.85].map((share) => Math.floor(nowMs + (endMs - nowMs) * share));
        for (const atMs of [...looks, endMs - 1]) expect(lookAtWindow(wanted, place, atMs).isOpen).toBe(isOpen);
        const isOpenThen = changesAtMs === null ? !isOpen : lookAtWindow(wanted, place, changesAtMs).isOpen;
        expect(isOpenThen).toBe(!isOpen);
      }),
      { numRuns: 300, seed: 20_262 },
    );
  });

  it('begin at the jump when the clock skips their beginning, and end there when it skips their end', () => {
    const night = (from: string, to: string): WindowGateDefinition =>
      makeWindowGate({ zone: 'Europe/Berlin', allow: [{ days: ['sun'], from, to }] });
    // 02:00 to 03:00 do not exist on that Sunday; the jump is at 01:00Z.
    const jumpMs = Date.parse('2026-03-29T01:00:00Z');
    expect(lookAtWindow(night('02:30', '05:00'), OPEN, jumpMs)).toMatchObject({
      isOpen: true,
      changesAtMs: Date.parse('2026-03-29T03:00:00Z'),
    });
    expect(lookAtWindow(night('02:30', '05:00'), OPEN, jumpMs - 1).isOpen).toBe(false);
    expect(lookAtWindow(night('01:00', '02:30'), OPEN, jumpMs - 1)).toMatchObject({
      isOpen: true,
      changesAtMs: jumpMs,
    });
    // All of it is skipped: the next one is a week later.
    expect(lookAtWindow(night('02:10', '02:50'), OPEN, jumpMs - HOUR_MS)).toMatchObject({
      isOpen: false,
      changesAtMs: Date.parse('2026-04-05T00:10:00Z'),
    });
  });

  it('take the first of a time that comes twice', () => {
    // 02:00 to 03:00 come twice on that Sunday: from 00:00Z and from 01:00Z.
    const night = makeWindowGate({ zone: 'Europe/Berlin', allow: [{ days: ['sun'], from: '02:10', to: '02:50' }] });
    expect(lookAtWindow(night, OPEN, Date.parse('2026-10-25T00:10:00Z'))).toMatchObject({
      isOpen: true,
      changesAtMs: Date.parse('2026-10-25T00:50:00Z'),
    });
    expect(lookAtWindow(night, OPEN, Date.parse('2026-10-25T01:20:00Z')).isOpen).toBe(false);
  });

  it('go on past midnight and past the end of the week', () => {
    const late = makeWindowGate({ allow: [{ days: ['sun'], from: '22:00', to: '04:00' }] });
    expect(lookAtWindow(late, OPEN, Date.parse('2026-11-30T03:59:59Z'))).toMatchObject({
      isOpen: true,
      changesAtMs: Date.parse('2026-11-30T04:00:00Z'),
    });
    const whole = makeWindowGate({ allow: WEEKDAYS.map((day) => ({ days: [day], from: '00:00', to: '24:00' })) });
    expect(lookAtWindow(whole, OPEN, Date.parse('2026-11-30T03:59:59Z'))).toMatchObject({
      isOpen: true,
      changesAtMs: null,
    });
  });
});

describe('freezes', () => {
  it('close whatever the times say, from the first of a doubled time to its second', () => {
    const frozen = { from: '2026-10-25T02:30', to: '2026-10-25T02:45', zone: 'Europe/Berlin', reason: 'clocks' };
    const place = { ...OPEN, plannedFreezes: [frozen] };
    const open = makeWindowGate({ allow: [] });
    expect(lookAtWindow(open, place, Date.parse('2026-10-25T00:30:00Z'))).toMatchObject({
      isOpen: false,
      changesAtMs: Date.parse('2026-10-25T01:45:00Z'),
      message: 'frozen as planned: clocks; opens 2026-10-25T01:45:00.000Z',
    });
  });

  it('never let a window be open while one counts', () => {
    fc.assert(
      fc.property(gate, fc.array(freeze, { minLength: 1, maxLength: 3 }), moment, (wanted, plannedFreezes, nowMs) => {
        const place = { ...OPEN, plannedFreezes };
        const isFrozen = plannedFreezes.some(({ from, to, zone: where }) => {
          const { text } = wallOf(nowMs, where);
          return from <= text && text < to && !isShownTwice(nowMs, where);
        });
        const { isOpen, frozenAtMs } = lookAtWindow(wanted, place, nowMs);
        expect(isFrozen && isOpen).toBe(false);
        expect(frozenAtMs !== null).toBe(freezeNow(place, nowMs) !== null);
      }),
      { numRuns: 400, seed: 20_263 },
    );
  });

  it('of an operator have no known end until somebody unfreezes', () => {
    const nowMs = Date.parse('2026-11-26T10:00:00Z');
    const own = { version: 1, reason: 'on air', by: 'olga', atMs: nowMs - 1, untilMs: null, endedAtMs: null };
    expect(lookAtWindow(makeWindowGate(), { ...OPEN, freeze: own }, nowMs)).toEqual({
      isOpen: false,
      changesAtMs: null,
      frozenAtMs: nowMs - 1,
      message: 'frozen by olga: on air',
    });
    expect(lookAtWindow(makeWindowGate(), { ...OPEN, freeze: { ...own, endedAtMs: nowMs } }, nowMs).isOpen).toBe(true);
    const short = { ...own, untilMs: nowMs + HOUR_MS };
    expect(lookAtWindow(makeWindowGate(), { ...OPEN, freeze: short }, nowMs).changesAtMs).toBe(nowMs + HOUR_MS);
    expect(lookAtWindow(makeWindowGate(), { ...OPEN, freeze: short }, nowMs + HOUR_MS).isOpen).toBe(true);
  });
});

describe('zones and local times', () => {
  it('are names of the list, not offsets', () => {
    expect(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires'].map(isKnownZone)).toEqual([true, true, true]);
    expect(['+02:00', 'Europe/Berlinn', '', '../etc', 'Mars/Base'].map(isKnownZone).some(Boolean)).toBe(false);
  });

  it('are days that the calendar has', () => {
    expect(isLocalTime('2028-02-29T10:00')).toBe(true);
    expect(['2026-02-29T10:00', '2026-12-24', '2026-12-24T24:00', '2026-12-24T10:00Z'].some(isLocalTime)).toBe(false);
  });

  it('close the window when this platform does not know the zone', () => {
    const gone = makeWindowGate({ zone: 'Mars/Base' });
    expect(lookAtWindow(gone, OPEN, Date.parse('2026-11-26T10:00:00Z'))).toMatchObject({
      isOpen: false,
      changesAtMs: null,
    });
  });
});
