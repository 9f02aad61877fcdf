import { AppError } from '@stella/domain';
import { describe, expect, it } from 'vitest';
import { diskCodeOfWords, isClearNo, toTargetError } from './target-errors.ts';

function fileSystemError(code: string): Error {
  return Object.assign(new Error(`${code}: it says, open '/srv/web'`), { code, syscall: 'open' });
}

describe('an error of the file system at a target', () => {
  it.each([
    ['ENOSPC', 'target.disk_full'],
    ['EDQUOT', 'target.disk_full'],
    ['EACCES', 'target.denied'],
    ['EPERM', 'target.denied'],
    ['EROFS', 'target.denied'],
    ['ENOTDIR', 'target.disk'],
  ])('%s is %s, and a clear no', (errno, code) => {
    const error = toTargetError(fileSystemError(errno), 'web-1');
    expect(error.code).toBe(code);
    expect(error.message).toContain(errno);
    expect(isClearNo(error)).toBe(true);
  });

  it.each([
    ['mkdir: cannot create directory: No space left on device', 'target.disk_full'],
    ['tar: tree/large.bin: Wrote only 8192 of 10240 bytes', 'target.disk_full'],
    ['mkdir: cannot create directory: Permission denied', 'target.denied'],
    ['mv: cannot overwrite directory with non-directory', 'target.disk'],
  ])('is told by what a program of a host said: %s', (words, code) => {
    expect(diskCodeOfWords(words)).toBe(code);
  });

  it('is unclear when it is none', () => {
    expect(isClearNo(toTargetError(new Error('odd'), 'web-1'))).toBe(false);
    expect(toTargetError(new AppError('target.busy', { details: { target: 'web-1' } }), 'web-1').code).toBe(
      'target.busy',
    );
  });
});
