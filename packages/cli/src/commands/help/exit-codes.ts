/** `stella help exit-codes` */
import { type CommandSpec, EXIT_CODES } from '../../command.ts';
import { tableView } from '../../view.ts';

const MEANINGS: Readonly<Record<keyof typeof EXIT_CODES, string>> = {
  ok: 'done',
  error: 'it went wrong',
  usage: 'wrong usage, or invalid input',
  notAllowed: 'not authenticated, or not allowed',
  notFound: 'not found',
  conflict: 'conflict: state, lock or version',
  endedOtherwise: 'the promotion ended, but not completed (--wait)',
  stillPending: 'the time to wait ran out; it goes on (--wait)',
  checkFailed: 'a check of the doctor failed',
  temporary: 'temporary: try again',
  interrupted: 'interrupted',
};

interface Row {
  readonly code: number;
  readonly meaning: string;
}

export const helpExitCodes: CommandSpec = {
  path: ['help', 'exit-codes'],
  summary: 'What the exit codes mean',
  kind: 'local',
  run({ show }) {
    // Its keys, all of them: it is a constant.
    const rows = Object.entries(EXIT_CODES).map(
      ([name, code]): Row => ({ code, meaning: MEANINGS[name as keyof typeof EXIT_CODES] }),
    );
    show(
      tableView<Row>({
        rows,
        columns: [
          { title: 'CODE', value: (row) => String(row.code) },
          { title: 'MEANING', value: (row) => row.meaning },
        ],
        nameOf: (row) => String(row.code),
        whenEmpty: '',
      }),
    );
    return Promise.resolve(undefined);
  },
};
