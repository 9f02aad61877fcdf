/**
 * Text → YAML 1.2 documents with positions. Owns the limits that keep a hostile file from costing more than its bytes:
 * the lexemes are counted while they are read, because the library's composer recurses and one very deep file would end
 * the process.
 */
import { AppError } from '@stella/domain';
import { type Alias, Composer, type Document, isScalar, Lexer, LineCounter, type Node, Parser, visit } from 'yaml';

/** Enough for 200 environments of 5 KiB; the same as the API allows for one file. */
export const YAML_BYTES_MAX = 1_048_576;
/** Documents of one file; the same as the API allows for files. */
export const DOCUMENT_COUNT_MAX = 200;
/** Less than half a second of parsing; a file of 200 environments of 50 lines has 70,000. */
const LEXEME_COUNT_MAX = 100_000;
/** Open collections and pairs at a time; an environment needs 12. */
const OPEN_TOKENS_MAX = 64;
/** No value is longer: header values have up to 4,096 characters. */
const LEXEME_LENGTH_MAX = 8_192;
const INDENT_MAX = 200;

const DEEP_INDENT = new RegExp(`^[ \\t]{${INDENT_MAX + 1}}`, 'm');
/** The library writes one error with a stack for each broken escape, and a megabyte holds many: refused before. */
const SOUND_ESCAPES =
  /^"(?:[^\\]|\\(?:[0abtnvfre"\\/ N_LP\t\r\n]|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U00(?:0[\da-fA-F]|10)[\da-fA-F]{4}))*$/;

/** Both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface YamlDocument {
  /** Never empty: documents without content are left out. */
  readonly root: Node;
  placeOf(node: Node): Place;
  /** What an alias stands for; null when its anchor is unknown. The anchor may hold the alias: walk by a schema. */
  resolve(alias: Alias): Node | null;
}

/** Throws `input.yaml` with file, line and reason: at most one, because a broken text has no second error to trust. */
export function readYamlDocuments(text: string, file: string): readonly YamlDocument[] {
  const lines = new LineCounter();
  const refuse = (offset: number, message: string): AppError => {
    const { line, col } = lines.linePos(offset);
    return new AppError('input.yaml', {
      details: { file, line: Math.max(1, line), column: Math.max(1, col), message },
    });
  };
  lines.addNewLine(0);
  if (Buffer.byteLength(text) > YAML_BYTES_MAX) {
    throw refuse(0, `the file is larger than ${YAML_BYTES_MAX} bytes`);
  }
  const deep = text.search(DEEP_INDENT);
  if (deep !== -1) {
    const line = text.slice(0, deep).split('\n').length;
    const message = `the line is indented by more than ${INDENT_MAX} characters`;
    throw new AppError('input.yaml', { details: { file, line, column: 1, message } });
  }
  const composer = new Composer({ version: '1.2', uniqueKeys: false, prettyErrors: false, merge: false });
  const documents: YamlDocument[] = [];
  for (const document of composer.compose(readTokens(text, lines, refuse))) {
    const fault = document.errors[0] ?? document.warnings[0];
    if (fault) throw refuse(fault.pos[0], fault.message.split('\n')[0] ?? 'not valid YAML');
    const root = contentsOf(document);
    if (!root) continue;
    documents.push(openDocument(document, root, lines));
    if (documents.length > DOCUMENT_COUNT_MAX) {
      throw refuse(document.range[0], `the file has more than ${DOCUMENT_COUNT_MAX} documents`);
    }
  }
  return documents;
}

type Refuse = (offset: number, message: string) => AppError;

function* readTokens(text: string, lines: LineCounter, refuse: Refuse): ReturnType<Parser['parse']> {
  const parser = new Parser(lines.addNewLine);
  let count = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    count += 1;
    if (count > LEXEME_COUNT_MAX) throw refuse(offset, `the file has more than ${LEXEME_COUNT_MAX} symbols`);
    if (lexeme.length > LEXEME_LENGTH_MAX && !lexeme.startsWith('#')) {
      throw refuse(offset, `the value is longer than ${LEXEME_LENGTH_MAX} characters`);
    }
    if (lexeme.startsWith('"') && !SOUND_ESCAPES.test(lexeme)) throw refuse(offset, 'the text has a broken escape');
    yield* parser.next(lexeme);
    if (parser.stack.length > OPEN_TOKENS_MAX) throw refuse(offset, 'the values are nested too deeply');
    offset = parser.offset;
  }
  yield* parser.end();
}

/** Null for a document with nothing in it, such as `---` at the end of a file opens. */
function contentsOf({ contents }: Document.Parsed): Node | null {
  const isEmpty = isScalar(contents) && contents.value === null && contents.source === '';
  return isEmpty ? null : contents;
}

function openDocument(document: Document.Parsed, root: Node, lines: LineCounter): YamlDocument {
  let anchors: ReadonlyMap<string, readonly Node[]> | null = null;
  return {
    root,
    placeOf(node) {
      const { line, col } = lines.linePos(startOf(node));
      return { line: Math.max(1, line), column: Math.max(1, col) };
    },
    resolve(alias) {
      // Once for the document: the library's own look-up walks the whole document for each alias.
      anchors ??= collectAnchors(document);
      return anchors.get(alias.source)?.findLast((node) => startOf(node) < startOf(alias)) ?? null;
    },
  };
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** By name, in the order of the text: an alias means the last one before it. */
function collectAnchors(document: Document.Parsed): ReadonlyMap<string, readonly Node[]> {
  const anchors = new Map<string, Node[]>();
  visit(document, {
    Node(_key, node) {
      if (!('anchor' in node) || typeof node.anchor !== 'string') return;
      const nodes = anchors.get(node.anchor);
      if (nodes) nodes.push(node);
      else anchors.set(node.anchor, [node]);
    },
  });
  return anchors;
}
