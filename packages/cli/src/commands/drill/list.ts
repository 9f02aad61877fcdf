/** `stella drill list` */
import type { CommandSpec } from '../../command.ts';
import { tableView } from '../../view.ts';

interface Row {
  readonly drill: string | null;
  readonly cause: string;
  readonly isDrillable: boolean;
  readonly fault: string;
  readonly needs: readonly string[];
  readonly leaves: string | null;
}

export const drillList: CommandSpec = {
  path: ['drill', 'list'],
  summary: 'Every cause that a diagnosis can name, and whether it can be drilled here',
  kind: 'read',
  examples: ['stella drill list', 'stella drill list -o wide'],
  async run({ show }) {
    const { DRILLS, UNDRILLED } = await import('../../drills/drills.ts');
    const { drillId } = await import('../../drills/drill.ts');
    const drilled = DRILLS.map((drill): Row => {
      const { cause, fault, needs = [], leaves = null } = drill;
      return { drill: drillId(drill), cause, isDrillable: true, fault, needs, leaves };
    });
    const others = Object.entries(UNDRILLED).map(([cause, reason]): Row => {
      return { drill: null, cause, isDrillable: false, fault: reason, needs: [], leaves: null };
    });
    show(
      tableView<Row>({
        rows: [...drilled, ...others],
        columns: [
          { title: 'DRILL', value: (row) => row.drill ?? row.cause },
          { title: 'HERE', value: (row) => (row.isDrillable ? 'yes' : 'no') },
          { title: 'FAULT, OR WHY NOT', value: (row) => row.fault },
          { title: 'NEEDS', value: (row) => row.needs.join(', ') || '-', isWide: true },
          { title: 'LEAVES', value: (row) => row.leaves ?? '-', isWide: true },
        ],
        nameOf: (row) => row.drill ?? row.cause,
        whenEmpty: 'there are no drills',
      }),
    );
    return undefined;
  },
};
