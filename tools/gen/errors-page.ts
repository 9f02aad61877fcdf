/** `docs/errors.md`: every error code with its HTTP status, exit code, message and next step. */
import {
  ERROR_CODES,
  ERROR_FAMILIES,
  ERROR_KINDS,
  type ErrorCode,
  EXIT_CODE_BY_KIND,
  HTTP_STATUS_BY_KIND,
} from '@stella/domain';
import { cell, generatedNote, table } from './markdown.ts';

const ERROR_CODES_PATH = 'packages/domain/src/errors/codes';

export function renderErrorsPage(): string {
  const sections = ERROR_FAMILIES.map(({ title, codes }) =>
    // The keys of a family, which `Object.keys` widens to strings.
    [
      `## ${title}`,
      table(['Code', 'HTTP', 'Exit', 'Message', 'Next step'], (Object.keys(codes) as ErrorCode[]).map(codeRow)),
    ].join('\n\n'),
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
