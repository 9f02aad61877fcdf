/** A diagnosis for people: the verdict, each cause with its facts, and what cures it, as commands to paste. */
import type { Answer } from '@stella/contract/client';
import { foldText } from '../../output/display-width.ts';
import { textView, type View } from '../../view.ts';
import { relativeTo, shortDuration } from '../show-age.ts';

export type Diagnosis = Answer<'diagnosePromotion'>;
type Cause = Diagnosis['causes'][number];
type Remedy = Cause['remedies'][number];

/** A terminal of a phone, or of a rack; commands are never broken, so that they can be copied. */
const WIDTH = 80;
const LABEL_WIDTH = 11;
/** In `status` so many causes, and so many remedies of the first; `diagnose` tells all. */
const STATUS_CAUSES_MAX = 3;
const STATUS_REMEDIES_MAX = 3;

export function diagnosisView(diagnosis: Diagnosis): View {
  const text = (): string => describeDiagnosis(diagnosis);
  return textView({ name: diagnosis.promotionId, data: diagnosis, text });
}

function describeDiagnosis(diagnosis: Diagnosis): string {
  const nowMs = Date.parse(diagnosis.now);
  const { causes, ruledOut } = diagnosis;
  return [
    `${'Promotion'.padEnd(LABEL_WIDTH)}${diagnosis.promotionId} → ${diagnosis.environment}`,
    ...field('Verdict', `${diagnosis.verdict}: ${diagnosis.summary}`),
    ...budgetLines(diagnosis, nowMs),
    ...causes.flatMap((cause, index) => ['', ...causeLines(diagnosis, cause, index + 1)]),
    ...(ruledOut.length === 0
      ? []
      : ['', ...ruledOut.flatMap((fact) => field('Ruled out', `${fact.what}: ${fact.value}`))]),
  ].join('\n');
}

/** `no progress for 14m, stalled 4m ago`, and when the objective is broken. */
function budgetLines({ timeBudget, verdict, now }: Diagnosis, nowMs: number): string[] {
  const { stallsAt, sloAt, sinceProgressMs, lastProgressAt } = timeBudget;
  if (verdict === 'ended' || stallsAt === null)
    return field('Time', `last progress ${relativeTo(nowMs, lastProgressAt)}`);
  const isStalled = Date.parse(stallsAt) <= Date.parse(now);
  const stall = `${isStalled ? 'stalled' : 'counts as stalled'} ${relativeTo(nowMs, stallsAt)}`;
  const isBroken = sloAt !== null && Date.parse(sloAt) <= Date.parse(now);
  return [
    ...field('Time', `no progress for ${shortDuration(sinceProgressMs)}, ${stall}`),
    ...field('', `objective of 30 minutes ${isBroken ? 'was broken' : 'will be broken'} ${relativeTo(nowMs, sloAt)}`),
  ];
}

function causeLines(diagnosis: Diagnosis, cause: Cause, number: number): string[] {
  const whose = cause.promotionId === diagnosis.promotionId ? '' : `, of ${cause.promotionId}`;
  return [
    ...field(`Cause ${number}`, `${cause.code} (${cause.confidence}): ${cause.title}${whose}`),
    ...cause.facts.flatMap((fact) => field('Fact', `${fact.what}: ${fact.value} [${fact.source}, ${fact.at}]`)),
    ...cause.remedies.flatMap((remedy, index) => remedyLines(remedy, index + 1)),
  ];
}

function remedyLines(remedy: Remedy, number: number): string[] {
  const until = remedy.until === null ? '' : ` until ${remedy.until}`;
  const kind = remedy.kind === 'command' ? '' : `${remedy.kind}${until}: `;
  return [
    ...field(`Remedy ${number}`, `${kind}${remedy.text}`),
    ...(remedy.command === null ? [] : [`${' '.repeat(LABEL_WIDTH)}  ${remedy.command}`]),
    ...field('', termsOf(remedy)),
  ];
}

/** `cures at once; harm none; needs operator` */
function termsOf({ effect, harm, needs, needsApproval, command }: Remedy): string {
  const terms = [
    effect,
    ...(harm === 'none' ? [] : [`harm ${harm}`]),
    ...(needs === null || command === null ? [] : [`needs ${needs}`]),
    ...(needsApproval ? ['needs approval by another person'] : []),
  ];
  return terms.join('; ');
}

/** The first causes and the first one's remedies, as lines of `promotion status`. */
export function statusLines(diagnosis: Diagnosis): string[] {
  const shown = diagnosis.causes.slice(0, STATUS_CAUSES_MAX);
  const more = diagnosis.causes.length - shown.length;
  const remedies = diagnosis.causes[0]?.remedies.slice(0, STATUS_REMEDIES_MAX) ?? [];
  return [
    ...shown.flatMap((cause) => field('Cause', causeWords(diagnosis, cause))),
    ...(more === 0 ? [] : field('', `and ${more} more: stella promotion diagnose ${diagnosis.promotionId}`)),
    ...remedies.flatMap((remedy, index) => shortRemedy(remedy, index + 1)),
  ];
}

function causeWords(diagnosis: Diagnosis, cause: Cause): string {
  const whose = cause.promotionId === diagnosis.promotionId ? '' : ` of ${cause.promotionId}`;
  const facts = cause.facts.slice(0, 2).map((fact) => `${fact.what} ${fact.value}`);
  return `${cause.code} (${cause.confidence})${whose}: ${facts.join('; ')}`;
}

function shortRemedy(remedy: Remedy, number: number): string[] {
  const label = number === 1 ? 'Remedy' : '';
  if (remedy.command === null) return numbered(label, number, remedy.text);
  const terms = field('', `   ${termsOf(remedy)}`);
  if (remedy.kind !== 'external') return [`${label.padEnd(LABEL_WIDTH)}${number}  ${remedy.command}`, ...terms];
  return [
    ...numbered(label, number, `${remedy.text}, then:`),
    `${' '.repeat(LABEL_WIDTH)}   ${remedy.command}`,
    ...terms,
  ];
}

function numbered(label: string, number: number, text: string): string[] {
  const [first = '', ...rest] = field('', `   ${text}`);
  return [`${label.padEnd(LABEL_WIDTH)}${number}  ${first.trimStart()}`, ...rest];
}

/** A label and a sentence, folded; ids and commands stay whole. */
export function field(label: string, text: string, labelWidth = LABEL_WIDTH): string[] {
  const indent = /^ */.exec(text)?.[0] ?? '';
  const lines = foldText(text.trim(), WIDTH - labelWidth - indent.length, isWhole);
  return lines.map((line, index) => `${(index === 0 ? label : '').padEnd(labelWidth)}${indent}${line}`.trimEnd());
}

function isWhole(word: string): boolean {
  return /^\W*(?:[a-z]{3}_[0-9a-f]{8,}|sha256:[0-9a-f]+|https?:)/.test(word);
}
