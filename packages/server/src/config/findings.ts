/** Collects what is wrong with one file, so that its author can mend everything at once. */
import { AppError } from '@stella/domain';
import type { Place } from './yaml-documents.ts';

/** Further mistakes that one error names; more would hide the first. */
const OTHERS_MAX = 50;
/** Keys come from the file and may be of any length. */
const KEY_LENGTH_MAX = 100;

export interface UnknownKey {
  readonly key: string;
  readonly nearest: string | null;
  readonly known: readonly string[];
  /** Where the key belongs, when it is known in another place. */
  readonly elsewhere: string | null;
}

export interface Findings {
  readonly isEmpty: boolean;
  note(place: Place, message: string): void;
  noteUnknownKey(place: Place, unknown: UnknownKey): void;
  /**
   * Throws the first by line and column, as `input.yaml` or `input.unknown_key`; `details.others` holds up to 50 more as
   * `file:line:column: message`. Does nothing when there are none.
   */
  throwFirst(): void;
}

interface Finding {
  readonly place: Place;
  readonly error: AppError;
  /** Without its place. */
  readonly message: string;
}

export function makeFindings(file: string): Findings {
  const found: Finding[] = [];
  const at = ({ line, column }: Place): string => `${file}:${line}:${column}`;
  return {
    get isEmpty() {
      return found.length === 0;
    },
    note(place, message) {
      found.push({ place, message, error: new AppError('input.yaml', { details: { file, ...place, message } }) });
    },
    noteUnknownKey(place, unknown) {
      const key = unknown.key.slice(0, KEY_LENGTH_MAX);
      const { nearest } = unknown;
      const hint = unknown.elsewhere ?? (nearest === null ? `known here: ${unknown.known.join(', ')}` : null);
      const error = new AppError('input.unknown_key', {
        details: { key, where: at(place), file, ...place, nearest },
        ...(hint === null ? {} : { hint }),
      });
      found.push({ place, error, message: `unknown key "${key}"; ${error.hint}` });
    },
    throwFirst() {
      const [first, ...others] = found.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
      if (!first) return;
      if (others.length === 0) throw first.error;
      const { code, details, hint } = first.error;
      const lines = others.slice(0, OTHERS_MAX).map(({ place, message }) => `${at(place)}: ${message}`);
      throw new AppError(code, { details: { ...details, others: lines, otherCount: others.length }, hint });
    },
  };
}
