/**
 * Data as JSON and YAML for programs. Characters that could move a terminal's cursor or turn the direction of writing are
 * escaped, which changes the text but not the value. YAML is written here because loading a library costs each start of
 * the command line more than these lines do.
 */

/** What `makeHarmless` replaces for people, with the line separators that JavaScript and YAML know. */
const DANGEROUS = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g;

/** Two blanks of indentation; without, on one line. */
export function toJsonText(value: unknown, isIndented: boolean): string {
  return escapeDangerous(JSON.stringify(value, null, isIndented ? 2 : 0) ?? 'null');
}

function escapeDangerous(json: string): string {
  return json.replace(DANGEROUS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** YAML 1.2 in block form; ends with a line break. Takes what JSON can hold. */
export function toYamlText(value: unknown): string {
  // What JSON leaves out or turns into text is left out or turned here too.
  return `${blockOf(JSON.parse(JSON.stringify(value) ?? 'null'), 0).replace(/^\n/, '')}\n`;
}

/** Starts with a line break when it is a block of its own lines, else with the value. */
function blockOf(value: unknown, depth: number): string {
  const indent = `\n${'  '.repeat(depth)}`;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return value.map((item) => `${indent}- ${blockOf(item, depth + 1).trimStart()}`).join('');
  }
  if (typeof value !== 'object' || value === null) return scalarOf(value);
  const members = Object.entries(value);
  if (members.length === 0) return '{}';
  return members
    .map(([key, item]) => {
      const block = blockOf(item, depth + 1);
      return `${indent}${scalarOf(key)}:${block.startsWith('\n') ? '' : ' '}${block}`;
    })
    .join('');
}

/** Begins with a letter, and holds nothing that means something to YAML: written without quotes. */
const PLAIN = /^[A-Za-z/](?:[A-Za-z0-9_./@+()=-]|:(?=[A-Za-z0-9_./@+()=-])| (?=[A-Za-z0-9(]))*$/;
/** Words that YAML 1.1 or 1.2 take for something else than a text. */
const SPECIAL = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

function scalarOf(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return PLAIN.test(value) && !SPECIAL.test(value) ? value : escapeDangerous(JSON.stringify(value));
}
