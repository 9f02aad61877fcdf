/** A notice as a mail: plain text that can be read on a phone. */
import type { Notice } from './notice.ts';

export interface MailText {
  readonly subject: string;
  readonly text: string;
}

const SUBJECT_LENGTH_MAX = 150;

export function toMailText({ timestamp, data }: Notice): MailText {
  const { summary, detail, who, commands, promotion, release, environment, state, gate, requestedBy } = data;
  const rows: readonly (readonly [string, string])[] = [
    ['Promotion', promotion],
    ['Release', release],
    ['Environment', environment],
    ['State', state],
    ...(gate === null ? [] : [['Gate', gate] as const]),
    ['Asked by', requestedBy],
    ['At', timestamp],
    ...(who === null ? [] : [['To act', who] as const]),
  ];
  const table = rows.map(([title, value]) => `${title.padEnd(12)} ${value}`);
  const lines = [
    summary,
    ...(detail === '' ? [] : ['', detail]),
    '',
    ...table,
    '',
    ...commands.map((one) => `  ${one}`),
  ];
  return {
    // What others wrote has no line of its own in the head of a mail.
    subject: `[stella] ${summary}`.replace(/\p{Cc}+/gu, ' ').slice(0, SUBJECT_LENGTH_MAX),
    text: `${lines.join('\n')}\n`,
  };
}
