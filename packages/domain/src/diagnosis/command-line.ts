/** Commands as a remedy prints them: they can be pasted into any shell and run as they are. */

/** Letters that no shell takes for anything else; ids and names have no others. */
const PLAIN_WORD = /^[A-Za-z0-9_./:@=+-]+$/;

/** Demanded where something is stepped around; the dots are the person's to fill in, and a reason even if he does not. */
const REASON = '--reason "…"';

/** `stella promotion retry prm_…`; null when a word is not plain, because a wrong command is worse than none. */
export function commandLine(...words: readonly string[]): string | null {
  return words.every((word) => PLAIN_WORD.test(word)) ? ['stella', ...words].join(' ') : null;
}

export function withReason(command: string | null): string | null {
  return command === null ? null : `${command} ${REASON}`;
}
