/** `docs/errors.md`: every error code with its HTTP status, exit code, message and next step. */
import { ERROR_CODES, ERROR_KINDS, type ErrorCode, EXIT_CODE_BY_KIND, HTTP_STATUS_BY_KIND } from '@stella/domain';
import { parseSource } from '../code/parse-source.ts';
import { walk } from '../code/walk.ts';
import { cell, generatedNote, table } from './markdown.ts';

export const ERROR_CODES_PATH = 'packages/domain/src/errors/error-codes.ts';

/** `source` is the text of the registry; its comment lines are the titles of the groups. */
export function renderErrorsPage(source: string): string {
  const groups = groupCodes(source);
  const sections = groups.map(({ title, codes }) =>
    [`## ${title}`, table(['Code', 'HTTP', 'Exit', 'Message', 'Next step'], codes.map(codeRow))].join('\n\n'),
  );
  return `${[
    '# Errors',
    generatedNote(ERROR_CODES_PATH),
    'Programs match on the code, never on the text. Over HTTP an error is `application/problem+json` with `code` and `next`;\n' +
      'the command line prints the message, `try:` with the next step, and ends with the exit code. Names in braces are\n' +
      'filled in.',
    table(
      ['Kind', 'HTTP', 'Exit'],
      ERROR_KINDS.map((kind) => [kind, String(HTTP_STATUS_BY_KIND[kind]), String(EXIT_CODE_BY_KIND[kind])]),
    ),
    ...sections,
  ].join('\n\n')}\n`;
}

function codeRow(code: ErrorCode): readonly string[] {
  const { kind, template, hint } = ERROR_CODES[code];
  return [
    `\`${code}\``,
    String(HTTP_STATUS_BY_KIND[kind]),
    String(EXIT_CODE_BY_KIND[kind]),
    cell(template),
    cell(hint),
  ];
}

interface CodeGroup {
  readonly title: string;
  readonly codes: readonly ErrorCode[];
}

/** Throws when the registry does not begin with a title: codes without a group would be hard to find. */
function groupCodes(text: string): readonly CodeGroup[] {
  const source = parseSource(ERROR_CODES_PATH, text);
  const starts = new Map<string, number>();
  walk(source.program, (node) => {
    if (node.type !== 'Property') return;
    const name = node.key.type === 'Literal' ? node.key.value : node.key.type === 'Identifier' ? node.key.name : null;
    if (typeof name === 'string' && Object.hasOwn(ERROR_CODES, name)) starts.set(name, node.start);
  });
  const titles = source.comments.filter((comment) => comment.type === 'Line');
  const groups = new Map<string, ErrorCode[]>();
  // The keys of the registry, which `Object.keys` widens to strings.
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const title = titles.findLast((comment) => comment.start < (starts.get(code) ?? 0))?.value.trim();
    if (title === undefined)
      throw new Error(`${ERROR_CODES_PATH}: no comment line with a group stands above "${code}"`);
    groups.set(title, [...(groups.get(title) ?? []), code]);
  }
  return [...groups].map(([title, codes]) => ({ title, codes }));
}
