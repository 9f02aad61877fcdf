/** What is written to debts beside a promotion's decision and the answers of gates. Whoever writes holds the environment. */
import { type DebtApproval, type GateDebt, toRfc3339 } from '@stella/domain';
import type { Session, Statement } from './connection.ts';
import { lockEnvironment } from './guard.ts';
import { type RawDebt, toDebt } from './skip-rows.ts';
import { INSERT_APPROVALS, toApprovalRow } from './write-decision.ts';

const HASTEN: Statement = {
  name: 'debt_hasten',
  text: `update gate_debts set due_at = $2 where id = $1 and state = 'open'`,
};

const CLOSE_ALL: Statement = {
  name: 'debts_close',
  text: `update gate_debts d set state = 'superseded', closed_at = $2, due_at = null, message = $3
    where d.environment = $1 and d.state = 'open' returning to_json(d) as debt`,
};

export async function writeDebtApprovalRow(session: Session, { approval, debt }: DebtApproval): Promise<void> {
  await lockEnvironment(session, debt.environment);
  await session.rows(INSERT_APPROVALS, [debt.promotionId, JSON.stringify([toApprovalRow(approval)])]);
  await session.rows(HASTEN, [debt.id, toRfc3339(approval.atMs)]);
}

/** The environment goes. Answers what was owed there. */
export async function closeDebtRows(
  session: Session,
  environment: string,
  nowMs: number,
): Promise<readonly GateDebt[]> {
  const rows = await session.rows(CLOSE_ALL, [environment, toRfc3339(nowMs), 'the environment was removed']);
  // The shape of a row that only our own statements write.
  return rows.map((row) => toDebt(row['debt'] as RawDebt));
}
