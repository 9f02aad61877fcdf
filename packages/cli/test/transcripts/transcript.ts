/**
 * A transcript: lines that begin with a prompt are commands, what follows is what they said. `admin$ stella …` runs as the
 * first admin, `bob$ …` as bob. Lines of stderr begin with `! `; `[4]` is an exit code other than 0. Ids, digests, times
 * and ages differ from run to run and stand as `<prm 1>`, `<sha 2>`, `<time>`, `<age>`; a command may name them.
 */
import type { Ran, Stage } from './stage.ts';

const PROMPT = /^([a-z]+)\$ (.*)$/;
const ID = /\b(prm|rel|lck|wrk|tok|per|aut|gtr|apv|req|skp|dbt)_[0-9a-f]{32}\b/g;
const DIGEST = /sha256:[0-9a-f]{64}/g;
const TIME = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z/g;
const SECRET = /stella_(enrol_|recover_)?[\w-]{43}/g;
const CLOCK_TIME = /\b\d{2}:\d{2}:\d{2}\.\d{3}\b/g;
const AGE = /\b(?:\d+(?:ms|[dhms]))+\b(?: ago)?/g;
const CURSOR = /--cursor [\w-]{20,}/g;
const FREE_DISK = /\d+ MiB (are )?free/g;
const EVENT_COUNTS = /\d+ events chained, \d+ not yet/g;
/** It grows with every migration. */
const SCHEMA = /\bschema \d+\b/g;
const PROCESS = /\b(pid|kill -TERM) \d+/g;
const HOST = /live on \S+,/g;
/** `drill-gate-slow-4f2a` */
const DRILL = /\bdrill-[a-z-]+-[0-9a-f]{4}\b/g;
/** Those that the system has chosen. */
const LOOPBACK_PORT = /127\.0\.0\.1:\d{4,5}\b/g;
const SECONDS = /\bin \d+\.\d s\b/g;

/** Names of what a run has shown so far, by the order in which it was seen. */
export class Names {
  readonly #byValue = new Map<string, string>();
  readonly #byName = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  of(kind: string, value: string): string {
    const known = this.#byValue.get(value);
    if (known !== undefined) return known;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const name = `<${kind} ${count}>`;
    this.#byValue.set(value, name);
    this.#byName.set(name, value);
    return name;
  }

  /** `cancel <prm 1>` → `cancel prm_0193…` */
  resolve(command: string): string {
    return command.replace(/<[a-z]+ \d+>/g, (name) => {
      const value = this.#byName.get(name);
      if (value === undefined) throw new Error(`${name} was not shown before: ${command}`);
      return value;
    });
  }
}

/** Plays a transcript's commands again, and writes down what they say now. */
export async function replay(text: string, stage: Stage, names: Names): Promise<string> {
  const lines: string[] = [];
  for (const line of commandsAndNotes(text)) {
    lines.push(line);
    const prompt = PROMPT.exec(line);
    if (!prompt) continue;
    const [, who = '', command = ''] = prompt;
    const ran = await stage.run(resolvePlace(names.resolve(command), stage), who);
    lines.push(...shown(ran, stage, names), '');
  }
  return `${lines.join('\n').trim()}\n`;
}

/** Prompts, and the notes above them, which begin with `#`. */
function commandsAndNotes(text: string): readonly string[] {
  return text.split('\n').filter((line) => PROMPT.test(line) || line.startsWith('#'));
}

function resolvePlace(command: string, { names }: Stage): string {
  let text = command;
  for (const [value, name] of names) text = text.replaceAll(name, value);
  return text;
}

function shown({ code, stdout, stderr }: Ran, stage: Stage, names: Names): readonly string[] {
  const lines = (text: string, mark: string): readonly string[] =>
    text === ''
      ? []
      : calm(text, stage, names)
          .replace(/\n$/, '')
          .split('\n')
          .map((line) => `${mark}${line}`.trimEnd());
  return [...lines(stdout, ''), ...lines(stderr, '! '), ...(code === 0 ? [] : [`[${code}]`])];
}

function calm(text: string, stage: Stage, names: Names): string {
  let calmed = text;
  for (const [value, name] of stage.names) calmed = calmed.replaceAll(value, name);
  return (
    calmed
      .replace(SECRET, '<secret>')
      .replace(ID, (id, kind: string) => names.of(kind, id))
      .replace(DRILL, (drill) => names.of('drill', drill))
      .replace(DIGEST, (digest) => names.of('sha', digest))
      .replace(TIME, '<time>')
      .replace(CLOCK_TIME, '<time>')
      .replace(AGE, '<age>')
      .replace(CURSOR, '--cursor <cursor>')
      .replace(FREE_DISK, '<n> MiB $1free')
      .replace(EVENT_COUNTS, '<n> events chained, <n> not yet')
      .replace(SCHEMA, 'schema <n>')
      .replace(PROCESS, '$1 <n>')
      .replace(HOST, 'live on <host>,')
      .replace(LOOPBACK_PORT, '127.0.0.1:<port>')
      .replace(SECONDS, 'in <n> s')
      // Columns are as wide as what stood in them.
      .replace(/ {2,}/g, '  ')
  );
}
