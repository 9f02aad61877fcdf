/** Colours, where they help: titles are dim, states have the colour of their meaning. Elsewhere texts stay as they are. */
import type { EnvironmentState, GateRunState, PromotionStatus, StepState } from '@stella/domain';

type Tone = 'good' | 'bad' | 'busy' | 'person' | 'quiet' | 'plain';
type StateWord = PromotionStatus | GateRunState | StepState | EnvironmentState;

export interface Paint {
  title(text: string): string;
  /** A cell, or one line of it, below that title. */
  cell(title: string, text: string): string;
  /** A text of lines `Label      value`. */
  text(text: string): string;
}

/** Select graphic rendition (ECMA-48, 8.3.117), of the 16 colours that every terminal lets its user choose. */
const CODES: Readonly<Record<Tone, string>> = {
  good: '32',
  bad: '31',
  busy: '36',
  person: '33',
  quiet: '2',
  plain: '',
};

/** Total: a new state is no state until it has a tone. */
const TONES: Readonly<Record<StateWord, Tone>> = {
  queued: 'quiet',
  in_progress: 'busy',
  pending_approval: 'person',
  scheduled: 'quiet',
  cancelling: 'person',
  completed: 'good',
  failed: 'bad',
  rejected: 'bad',
  cancelled: 'quiet',
  superseded: 'quiet',
  rolled_back: 'bad',
  pending: 'quiet',
  evaluating: 'busy',
  waiting: 'person',
  passed: 'good',
  timeout: 'bad',
  error: 'bad',
  skipped: 'quiet',
  expired: 'person',
  not_started: 'quiet',
  running: 'busy',
  succeeded: 'good',
  errored: 'bad',
  empty: 'quiet',
  whole: 'good',
  mixed: 'bad',
  unknown: 'person',
};

/** Titles of columns that hold states; a release may be named "failed" and stays as it is. */
const STATE_TITLES: ReadonlySet<string> = new Set(['STATUS', 'STATE', 'STEP', 'OUTCOME', 'VERDICT']);
const STATE_LINE = /^((?:Status|State) +)([a-z_]+)/gm;

export const PLAIN_PAINT: Paint = {
  title: (text) => text,
  cell: (_title, text) => text,
  text: (text) => text,
};

export const COLOR_PAINT: Paint = {
  title: (text) => wrap(CODES.quiet, text),
  cell: (title, text) => (STATE_TITLES.has(title) ? paintWord(text) : text),
  text: (text) => text.replace(STATE_LINE, (_whole, label: string, word: string) => label + paintWord(word)),
};

/** The first word decides: `timeout, held`. */
function paintWord(text: string): string {
  const [word = ''] = text.split(/[ ,]/, 1);
  return Object.hasOwn(TONES, word) ? wrap(CODES[TONES[word as StateWord]], text) : text;
}

/** Blanks around stay outside, so that ends of lines can be trimmed. */
function wrap(code: string, text: string): string {
  const word = text.trim();
  if (code === '' || word === '') return text;
  const start = text.indexOf(word);
  return `${text.slice(0, start)}\u001b[${code}m${word}\u001b[0m${text.slice(start + word.length)}`;
}
