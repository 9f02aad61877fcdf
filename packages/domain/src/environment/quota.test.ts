import { makeEmptyEnvironment, makeSeededIds, TEST_EPOCH_MS } from '@stella/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAppError } from '../errors/app-error.ts';
import { partsOfQuotaKey } from '../settings/quota-settings.ts';
import { parseSetting, settingKeyOf, STANDARD_SETTINGS } from '../settings/settings.ts';
import { quotaLimitsOf, quotaStandings, quotaWindow } from './quota.ts';
import { isOpenRequest, REQUEST_OPEN_MS_MAX, requestIncrease } from './quota-request.ts';

const HOUR_MS = 60 * 60_000;
const at = (text: string): number => Date.parse(text);
const zone = fc.constantFrom('UTC', 'Europe/Vienna', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe');
const moment = fc.integer({ min: at('2024-01-01T00:00:00Z'), max: at('2028-01-01T00:00:00Z') });

describe('quotaWindow', () => {
  it('is the day and the hour of the zone, also of those that the clock makes longer or shorter', () => {
    const day = (text: string) => quotaWindow('perDay', 'Europe/Vienna', at(text));
    expect(day('2026-06-01T23:30:00Z')).toEqual({
      sinceMs: at('2026-06-01T22:00:00Z'),
      untilMs: at('2026-06-02T22:00:00Z'),
    });
    const lengthH = (text: string): number => (day(text).untilMs - day(text).sinceMs) / HOUR_MS;
    expect([lengthH('2026-03-29T12:00:00Z'), lengthH('2026-10-25T12:00:00Z')]).toEqual([23, 25]);
    expect(quotaWindow('perHour', 'Asia/Kolkata', at('2026-06-01T10:10:00Z'))).toEqual({
      sinceMs: at('2026-06-01T09:30:00Z'),
      untilMs: at('2026-06-01T10:30:00Z'),
    });
    expect(quotaWindow('perDay', 'Nowhere/Else', at('2026-06-01T12:00:00Z')).sinceMs).toBe(at('2026-06-01T00:00:00Z'));
  });

  it('holds its moment, and ends where the next begins', () => {
    fc.assert(
      fc.property(fc.constantFrom('perHour', 'perDay'), zone, moment, (name, where, nowMs) => {
        const window = quotaWindow(name, where, nowMs);
        expect(window.sinceMs <= nowMs && nowMs < window.untilMs).toBe(true);
        expect(quotaWindow(name, where, window.untilMs).sinceMs).toBe(window.untilMs);
        expect(quotaWindow(name, where, window.untilMs - 1)).toEqual(window);
      }),
    );
  });
});

describe('the limits of an environment', () => {
  const place = { ...makeEmptyEnvironment('prod'), quotas: { perDay: 20, inProgress: 2, timeZone: 'UTC' } };

  it('are those of the definition, and those of settings over them', () => {
    expect(quotaLimitsOf(place, STANDARD_SETTINGS)).toEqual({ perHour: null, perDay: 20, inProgress: null });
    const settings = { 'environments.prod.quotas.perDay': 30, 'environments.prod.quotas.perHour': 3 } as const;
    expect(quotaLimitsOf({ ...place, concurrency: 'per_component' }, settings)).toEqual({
      perHour: 3,
      perDay: 30,
      inProgress: 2,
    });
    expect(quotaLimitsOf({ ...place, name: 'dev', quotas: null }, settings).perDay).toBeNull();
  });

  it('count what started in the window, and who holds locks', () => {
    const nowMs = at('2026-06-01T10:10:00Z');
    const use = {
      limits: { perHour: 3, perDay: 20, inProgress: 2 },
      timeZone: 'UTC',
      startsAtMs: [nowMs, nowMs - HOUR_MS, nowMs - 24 * HOUR_MS],
      inProgress: [{ promotionId: makeSeededIds(1).next('prm'), components: ['web'] }],
    };
    expect(quotaStandings(use, nowMs).map(({ name, used }) => [name, used])).toEqual([
      ['perHour', 1],
      ['perDay', 2],
      ['inProgress', 1],
    ]);
  });

  it('have keys of their own, from 1 to 10,000', () => {
    const key = settingKeyOf('environments.prod.quotas.perDay');
    expect(partsOfQuotaKey(key)).toEqual({ environment: 'prod', quota: 'perDay' });
    expect(parseSetting(key, '10000')).toBe(10_000);
    for (const text of ['0', '10001', '2h']) expect(() => parseSetting(key, text)).toThrow('is invalid');
    expect(partsOfQuotaKey('environments.prod.quotas.perWeek')).toBeNull();
  });
});

describe('requestIncrease', () => {
  const actor = { kind: 'system', name: 'test' } as const;
  const context = { actor, nowMs: TEST_EPOCH_MS, limits: { perHour: null, perDay: 20, inProgress: null } };
  const before = makeEmptyEnvironment('prod');

  it('keeps the newest of each quota, and is open until somebody changes the limit or for a week', () => {
    const first = requestIncrease(before, { name: 'perDay', wanted: 30, reason: 'release day' }, context);
    const second = requestIncrease(
      { ...before, quotaRequests: first.requests },
      { name: 'perDay', wanted: 40, reason: 'two of them' },
      context,
    );
    expect(second.requests.map((one) => one.wanted)).toEqual([40]);
    expect(second.event).toMatchObject({ type: 'quota.increase_requested', subject: 'prod', data: { limit: 20 } });
    const [request] = second.requests;
    if (!request) throw new Error('it was kept');
    const { atMs } = request;
    expect(isOpenRequest(request, null, atMs)).toBe(true);
    expect(isOpenRequest(request, atMs - 1, atMs + 1)).toBe(true);
    expect(isOpenRequest(request, atMs + 1, atMs + 2)).toBe(false);
    expect(isOpenRequest(request, null, atMs + REQUEST_OPEN_MS_MAX)).toBe(false);
  });

  it.each([
    [{ name: 'perDay', wanted: 20, reason: 'x' }, 'is 20 already'],
    [{ name: 'perDay', wanted: 10_001, reason: 'x' }, 'at most 10000'],
    [{ name: 'perHour', wanted: 5, reason: 'x' }, 'has no limit perHour'],
    [{ name: 'perDay', wanted: 30, reason: ' ' }, 'needs a reason'],
  ] as const)('refuses %j', (wish, words) => {
    let message = '';
    try {
      requestIncrease(before, wish, context);
    } catch (error) {
      if (isAppError(error, 'input.invalid')) message = JSON.stringify(error.details);
    }
    expect(message).toContain(words);
  });
});
