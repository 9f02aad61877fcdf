import { describe, expect, it } from 'vitest';
import { pickSystemFiles } from './system-files.ts';

const FILES = ['torture/kill.test.ts', 'models.test.ts', 'torture/stage.ts', 'torture/pause.test.ts'];

describe('pickSystemFiles', () => {
  it('takes all tests without a name', () => {
    const all = ['models.test.ts', 'torture/kill.test.ts', 'torture/pause.test.ts'];
    expect(pickSystemFiles([], FILES)).toEqual({ kind: 'found', paths: all });
  });

  it('takes a file by its name, and a folder by its own', () => {
    expect(pickSystemFiles(['models'], FILES)).toEqual({ kind: 'found', paths: ['models.test.ts'] });
    const both = ['torture/kill.test.ts', 'torture/pause.test.ts'];
    expect(pickSystemFiles(['torture'], FILES)).toEqual({ kind: 'found', paths: both });
  });

  it('refuses a name that is none, with those that are', () => {
    const known = ['models', 'torture'];
    expect(pickSystemFiles(['models', 'mdels'], FILES)).toEqual({ kind: 'unknown', name: 'mdels', known });
  });
});
