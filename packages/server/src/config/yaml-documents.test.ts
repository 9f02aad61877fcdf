import { AppError } from '@stella/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEnvironmentDocuments } from './parse-environments.ts';
import { DOCUMENT_COUNT_MAX, readYamlDocuments, YAML_BYTES_MAX } from './yaml-documents.ts';

const MEBIBYTE = 1_048_576;

function refusalOf(text: string): AppError {
  try {
    parseEnvironmentDocuments(text, 'big.yaml');
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
}

/** At least 1; null when the text is taken. Any other error than a refusal is thrown. */
function lineOfRefusal(text: string): number | null {
  try {
    return parseEnvironmentDocuments(text, 'x').length > 0 ? null : Number.NaN;
  } catch (error) {
    if (!(error instanceof AppError) || !['input.yaml', 'input.unknown_key'].includes(error.code)) throw error;
    const line = Number(error.details['line']);
    return line >= 1 ? line : Number.NaN;
  }
}

const filled = (unit: string): string => unit.repeat(Math.floor(MEBIBYTE / unit.length));
const TARGETS = 'targets: [{ name: w, kind: files, component: w, directory: /srv/w }]';
const environment = (index: number): string => `---\nkind: Environment\nname: e${index}\n${TARGETS}\n`;

describe('limits', () => {
  it('takes the largest number of documents and no more', () => {
    const texts = Array.from({ length: DOCUMENT_COUNT_MAX + 1 }, (_, index) => environment(index));
    expect(parseEnvironmentDocuments(texts.slice(1).join(''), 'x')).toHaveLength(DOCUMENT_COUNT_MAX);
    expect(refusalOf(texts.join('')).message).toBe(
      `big.yaml:801: the file has more than ${DOCUMENT_COUNT_MAX} documents`,
    );
  });

  it('takes a file of the largest size and no larger one, counted in bytes', () => {
    const comment = `#${'ä'.repeat((YAML_BYTES_MAX - 200) / 2)}\n`;
    const rest = '#'.repeat(YAML_BYTES_MAX - Buffer.byteLength(environment(1) + comment));
    expect(parseEnvironmentDocuments(environment(1) + comment + rest, 'x')).toHaveLength(1);
    expect(refusalOf(`${environment(1)}${comment}${rest}#`).message).toContain('larger than 1048576 bytes');
  });

  /** Each of these took seconds, or ended the process, without a limit of ours. */
  it.each([
    ['open brackets', filled('['), 'nested too deeply'],
    ['open braces', filled('{a: '), 'nested too deeply'],
    ['lists in lists', filled('- '), 'nested too deeply'],
    ['keys of keys', filled('? '), 'nested too deeply'],
    ['mappings in mappings', filled('a: '), 'nested too deeply'],
    ['ever deeper lines', Array.from({ length: 1_400 }, (_, index) => `${' '.repeat(index)}a:`).join('\n'), 'indented'],
    ['one deep line', filled(' '), 'indented by more than 200'],
    ['broken escapes', `a: "${filled('\\q').slice(0, 8_000)}"`, 'broken escape'],
    ['broken hex', 'a: "\\xzz"', 'broken escape'],
    ['a character beyond Unicode', 'a: "\\U00110000"', 'broken escape'],
    ['a long text', `a: ${filled('x').slice(10)}`, 'longer than 8192 characters'],
    ['many keys', Array.from({ length: 80_000 }, (_, index) => `k${index}: 1`).join('\n'), 'more than 100000 symbols'],
    ['many aliases', `- &a 1\n${filled('- *a\n').slice(20)}`, 'more than 100000 symbols'],
    ['many documents', filled('---\n'), 'more than 100000 symbols'],
    ['empty lines', filled('\n'), 'more than 100000 symbols'],
  ])('refuses %s', (_name, text, words) => {
    const error = refusalOf(text);
    expect(error.code).toBe('input.yaml');
    expect(error.message).toContain(words);
    expect(error.message).toMatch(/^big\.yaml:\d+: /);
  });

  it('never expands aliases of aliases', () => {
    const rows = Array.from(
      { length: 30 },
      (_, index) => `a${index + 1}: &a${index + 1} [${`*a${index}, `.repeat(9)}]`,
    );
    const error = refusalOf(`kind: Environment\nname: a\n${TARGETS}\na0: &a0 [x]\n${rows.join('\n')}\ngates: *a30`);
    expect(error.code).toBe('input.unknown_key');
    expect(String(error.details['others'])).toContain('expected an entry of gates as a mapping, not a list');
  });
});

describe('escapes', () => {
  it.each([
    '"\\\\q"',
    '"\\"\\/\\x41\\u00e9\\U0001f600\\N\\_\\L\\P\\0\\a\\b\\t\\n\\v\\f\\r\\e"',
    '"a\\\n  b"',
    '"\\ \\\t"',
  ])('takes %s', (text) => {
    expect(readYamlDocuments(`a: ${text}`, 'x')).toHaveLength(1);
  });
});

describe('any text', () => {
  it('is read, or refused with a place inside of it', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '\n',
        ' ',
        '  ',
        ': ',
        '- ',
        '? ',
        '[',
        ']',
        '{',
        '}',
        '&a ',
        '*a',
        '|',
        '>',
        '"',
        "'",
        '#',
        '---\n',
        '!x ',
      ),
      fc.constantFrom(
        'kind: Environment\n',
        'name: prod\n',
        'targets:\n',
        'gates:\n',
        '\\',
        '%YAML 1.1\n',
        '...\n',
        '\t',
      ),
      fc.string({ maxLength: 5, unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const text = pieces.join('');
        expect(text.split('\n').length).toBeGreaterThanOrEqual(lineOfRefusal(text) ?? 1);
      }),
      { numRuns: 500 },
    );
  });
});
