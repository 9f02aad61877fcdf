import { describe, expect, it } from 'vitest';
import { makeProgressLine } from './progress-line.ts';

function record({
  isErrTty,
  columns = 20,
  isQuiet = false,
}: {
  isErrTty: boolean;
  columns?: number;
  isQuiet?: boolean;
}) {
  const written: string[] = [];
  const line = makeProgressLine({ err: (text) => written.push(text), isErrTty, columns }, isQuiet);
  return { line, written };
}

describe('on a terminal', () => {
  it('replaces its line and takes it away at the end', () => {
    const { line, written } = record({ isErrTty: true });
    line.show('deploy');
    line.show('deploy');
    line.show('verify');
    line.end();
    line.end();
    expect(written).toEqual(['deploy', '\r\u001b[Kverify', '\r\u001b[K']);
  });

  it('keeps notes above it', () => {
    const { line, written } = record({ isErrTty: true });
    line.note('first');
    line.show('deploy');
    line.note('gate passed');
    expect(written).toEqual(['first\n', 'deploy', '\r\u001b[Kgate passed\ndeploy']);
  });

  it('never fills the last column, which would make the terminal wrap', () => {
    const { line, written } = record({ isErrTty: true, columns: 10 });
    line.show('evaluate_gates');
    expect(written).toEqual(['evaluate…']);
  });

  it('shows hostile text on one line', () => {
    const { line, written } = record({ isErrTty: true });
    line.show('a\r\n\u001b[2Jb');
    expect(written).toEqual(['a \ufffd[2Jb']);
  });
});

describe('elsewhere', () => {
  it('writes a whole line for each change', () => {
    const { line, written } = record({ isErrTty: false, columns: 5 });
    line.show('evaluate_gates');
    line.show('evaluate_gates');
    line.note('gate passed');
    line.show('deploy');
    line.end();
    expect(written).toEqual(['evaluate_gates\n', 'gate passed\n', 'deploy\n']);
  });

  it('writes nothing when quiet', () => {
    const { line, written } = record({ isErrTty: true, isQuiet: true });
    line.show('deploy');
    line.note('gate passed');
    line.end();
    expect(written).toEqual([]);
  });
});
