import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  findDrill,
  listDrills,
  makePlace,
  placeOf,
  readAddress,
  readModes,
  WELL,
  writeModes,
  writeState,
} from './place.ts';
import { openWorld } from './world.ts';

let drills: string;
beforeAll(() => {
  drills = mkdtempSync(join(tmpdir(), 'stella-drills-'));
});
afterAll(() => rmSync(drills, { recursive: true }));

const state = (name: string, cause: string): Parameters<typeof writeState>[1] => {
  return {
    name,
    cause,
    drill: cause,
    server: 'http://127.0.0.1:1',
    startedAt: '2026-01-01T00:00:00Z',
    promotionId: null,
    own: null,
  };
};

it('finds a drill by its name, by its cause, and the only one by nothing', () => {
  expect(listDrills(join(drills, 'nothing'))).toEqual([]);
  expect(() => findDrill(drills, undefined)).toThrow(expect.objectContaining({ code: 'drill.not_found' }));
  const one = state('drill-gate-slow-0001', 'gate.slow');
  const place = placeOf(drills, one.name);
  makePlace(place);
  writeState(place, one);
  expect(findDrill(drills, undefined)).toEqual(one);
  const other = state('drill-gate-dns-0002', 'gate.dns');
  makePlace(placeOf(drills, other.name));
  writeState(placeOf(drills, other.name), other);
  expect(findDrill(drills, 'gate.slow')).toEqual(one);
  expect(findDrill(drills, 'drill-gate-dns-0002')).toEqual(other);
  expect(() => findDrill(drills, undefined)).toThrow('drill-gate-dns-0002, drill-gate-slow-0001');
});

it('is well until it is told otherwise', () => {
  const place = placeOf(drills, 'drill-gate-slow-0001');
  expect(readModes(place)).toEqual(WELL);
  writeModes(place, { ...WELL, registry: 'missing' });
  expect(readModes(place).registry).toBe('missing');
  expect(readAddress(place)).toBeNull();
});

it('is no world without its peer', () => {
  const one = findDrill(drills, 'gate.slow');
  const place = placeOf(drills, one.name);
  // No call is made: there is nobody to ask.
  const client = { call: () => Promise.reject(new Error('asked')), stream: () => [] as never };
  expect(() => openWorld({ state: one, place, client, colleague: null })).toThrow(
    expect.objectContaining({ code: 'drill.broken' }),
  );
});
