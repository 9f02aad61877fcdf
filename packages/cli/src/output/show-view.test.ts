import { describe, expect, it } from 'vitest';
import { type OutputFormat, OUTPUT_FORMATS } from '../command.ts';
import { tableView, textView, type View } from '../view.ts';
import { showView } from './show-view.ts';

interface Row {
  readonly id: string;
  readonly status: string;
}

const ROWS: readonly Row[] = [
  { id: 'prm_01', status: 'completed' },
  { id: 'prm_02', status: 'in_progress' },
];

const listOf = (rows: readonly Row[], data?: unknown): View =>
  tableView<Row>({
    rows,
    columns: [
      { title: 'ID', value: (row) => row.id },
      { title: 'STATUS', value: (row) => row.status },
      { title: 'CLOCK', value: (_row, nowMs) => String(nowMs), isWide: true },
    ],
    nameOf: (row) => row.id,
    whenEmpty: 'no promotions match',
    ...(data === undefined ? {} : { data }),
  });

const DETAIL = textView({
  text: (nowMs, isWide) => `Promotion  prm_01\nStatus     failed after 2m (${nowMs}${isWide ? ', wide' : ''})`,
  data: { id: 'prm_01' },
  name: 'prm_01',
});

interface Surroundings {
  readonly isOutTty?: boolean;
  readonly isColored?: boolean;
  readonly isQuiet?: boolean;
}

function shown(
  output: OutputFormat,
  view: View,
  { isOutTty = true, isColored = false, isQuiet = false }: Surroundings = {},
) {
  let out = '';
  let err = '';
  const terminal = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    isOutTty,
    columns: 80,
    nowMs: () => 7,
  };
  showView(terminal, { output, isColored, isQuiet }, view);
  return { out, err };
}

describe('a list', () => {
  it.each([
    ['table', 'ID      STATUS\nprm_01  completed\nprm_02  in_progress\n'],
    ['wide', 'ID      STATUS       CLOCK\nprm_01  completed    7\nprm_02  in_progress  7\n'],
    ['jsonl', '{"id":"prm_01","status":"completed"}\n{"id":"prm_02","status":"in_progress"}\n'],
    ['name', 'prm_01\nprm_02\n'],
    ['yaml', '- id: prm_01\n  status: completed\n- id: prm_02\n  status: in_progress\n'],
  ] as const)('as %s', (output, text) => {
    expect(shown(output, listOf(ROWS))).toEqual({ out: text, err: '' });
  });

  it('as json, with what the command says is the data', () => {
    expect(JSON.parse(shown('json', listOf(ROWS)).out)).toEqual(ROWS);
    expect(JSON.parse(shown('json', listOf(ROWS, { items: ROWS, next: null })).out)).toEqual({
      items: ROWS,
      next: null,
    });
  });

  it('without rows is an empty list for programs and a word on stderr for people', () => {
    expect(shown('json', listOf([]))).toEqual({ out: '[]\n', err: '' });
    expect(shown('jsonl', listOf([]))).toEqual({ out: '', err: '' });
    expect(shown('table', listOf([]))).toEqual({ out: '', err: 'no promotions match\n' });
    expect(shown('table', listOf([]), { isQuiet: true })).toEqual({ out: '', err: '' });
  });

  it('has one line per row in a pipe, however long', () => {
    const long = [{ id: 'x '.repeat(100).trim(), status: 'completed' }];
    expect(shown('table', listOf(long), { isOutTty: false }).out.split('\n')).toHaveLength(3);
    expect(shown('table', listOf(long)).out.split('\n').length).toBeGreaterThan(3);
  });
});

describe('one thing', () => {
  it.each([
    ['table', 'Promotion  prm_01\nStatus     failed after 2m (7)\n'],
    ['wide', 'Promotion  prm_01\nStatus     failed after 2m (7, wide)\n'],
    ['json', '{\n  "id": "prm_01"\n}\n'],
    ['yaml', 'id: prm_01\n'],
    ['jsonl', '{"id":"prm_01"}\n'],
    ['name', 'prm_01\n'],
  ] as const)('as %s', (output, text) => {
    expect(shown(output, DETAIL)).toEqual({ out: text, err: '' });
  });
});

describe('colours', () => {
  it('come only when asked for, and never into data', () => {
    const colored = OUTPUT_FORMATS.filter((output) =>
      shown(output, listOf(ROWS), { isColored: true }).out.includes('\u001b'),
    );
    expect(colored).toEqual(['table', 'wide']);
    const plain = OUTPUT_FORMATS.filter((output) => shown(output, listOf(ROWS)).out.includes('\u001b'));
    expect(plain).toEqual([]);
    expect(shown('table', DETAIL, { isColored: true }).out).toContain('Status     \u001b[31mfailed\u001b[0m after');
  });
});

describe('hostile text', () => {
  const hostile = [{ id: 'a\u001b[2J\u009b31m\u202eb\r\nprm_99  completed', status: '\u0007' }];

  it.each(OUTPUT_FORMATS)('moves no cursor and begins no row as %s', (output) => {
    const { out } = shown(output, listOf(hostile), { isOutTty: false });
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    expect(out.split('\n').filter((line) => line.startsWith('prm_99'))).toEqual([]);
  });
});
