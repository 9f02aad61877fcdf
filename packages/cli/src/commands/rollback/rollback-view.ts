/** A rollback as `status` prints it: the promotion, and for each target what came of it. */
import type { Answer } from '@stella/contract/client';
import { textView, type View } from '../../view.ts';
import { describePromotion } from '../promotion/promotion-view.ts';

type Promotion = Answer<'getPromotion'>;
type Attempt = Promotion['attempts'][number];

const LABEL_WIDTH = 11;

/** What a target was last told, and what it said when it was looked at. */
interface TargetRow {
  readonly target: string;
  readonly operation: string;
  readonly verified: string;
  readonly digest: string;
}

export function rollbackView(promotion: Promotion): View {
  const targets = targetRows(promotion);
  return textView({
    name: promotion.id,
    data: { ...promotion, targets },
    text: () => [describePromotion(promotion), ...tableOf(targets)].join('\n'),
  });
}

/** A rollback that was asked for deploys; one that came by itself has operations of its own. */
export function targetRows({ kind, attempts }: Promotion): readonly TargetRow[] {
  const isAsked = kind === 'rollback';
  const operation = isAsked ? 'deploy' : 'rollback';
  const look = isAsked ? 'verify' : 'rollback_verify';
  const names = attempts.filter((one) => one.purpose === operation).map((one) => one.subject);
  const last = (purpose: string, target: string): Attempt | undefined =>
    attempts.findLast((one) => one.purpose === purpose && one.subject === target);
  return [...new Set(names)].sort().map((target) => ({
    target,
    operation: wordsOf(last(operation, target)),
    verified: wordsOf(last(look, target)),
    digest: last(look, target)?.digest ?? '-',
  }));
}

function wordsOf(attempt: Attempt | undefined): string {
  if (!attempt) return 'not yet';
  if (attempt.outcome === null) return 'runs';
  return attempt.outcome === 'succeeded' ? 'done' : attempt.code === '' ? attempt.outcome : attempt.code;
}

function tableOf(rows: readonly TargetRow[]): readonly string[] {
  if (rows.length === 0) return ['Put back   no target yet'];
  return rows.map(({ target, operation, verified, digest }, index) => {
    const label = index === 0 ? 'Put back' : '';
    return `${label.padEnd(LABEL_WIDTH)}${target}  ${operation}, seen: ${verified}  ${shortOf(digest)}`;
  });
}

/** `sha256:0123456789ab` of a whole digest: enough to tell two of them apart in 80 columns. */
function shortOf(digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12);
}
