/** Progress of long work on stderr: one line in place on a terminal, a line per change elsewhere. */
import type { Terminal } from '../command.ts';
import { makeHarmless } from '../harmless.ts';
import { cutToWidth } from './display-width.ts';

/** Carriage return, then erase to the end of the line (ECMA-48: EL). */
const CLEAR_LINE = '\r\u001b[K';

export interface ProgressLine {
  /** Replaces what was shown. The same text again writes nothing. */
  show(text: string): void;
  /** A line that stays, above the one in place. */
  note(text: string): void;
  /** Takes the line in place away; what comes after begins at the left. Idempotent. */
  end(): void;
}

type Shown = Pick<Terminal, 'err' | 'isErrTty' | 'columns'>;

/** `isQuiet`: writes nothing at all. */
export function makeProgressLine(terminal: Shown, isQuiet: boolean): ProgressLine {
  let shown = '';
  const write = (text: string): void => {
    if (!isQuiet && text !== '') terminal.err(text);
  };
  const clear = (): string => (terminal.isErrTty && shown !== '' ? CLEAR_LINE : '');
  // One column stays free: a full line makes some terminals wrap, and the line could not be cleared.
  const inPlace = (text: string): string => (terminal.isErrTty ? cutToWidth(text, terminal.columns - 1) : `${text}\n`);
  return {
    show(text) {
      const line = toLine(text);
      if (line === shown) return;
      write(clear() + inPlace(line));
      shown = line;
    },
    note(text) {
      write(`${clear()}${toLine(text)}\n${terminal.isErrTty && shown !== '' ? inPlace(shown) : ''}`);
    },
    end() {
      write(clear());
      shown = '';
    },
  };
}

function toLine(text: string): string {
  return makeHarmless(text.replace(/\s*[\r\n\t\u2028\u2029]\s*/g, ' '));
}
