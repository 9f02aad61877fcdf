/** Settings that were changed while servers run, and every change that was made. */
import type { AnySettingKey } from '@stella/domain';
import type { CommandTransaction } from '@stella/server';
import type { MemorySession } from './memory-session.ts';
import type { MemoryState } from './memory-state.ts';
import { wakeRows } from './memory-wakes.ts';

type SettingMethods = Pick<CommandTransaction, 'lockSetting' | 'writeSetting' | 'listSettings'>;

export function settingMethods(session: MemorySession, nowMs: number): SettingMethods {
  return {
    lockSetting: (key) =>
      session.statement('lockSetting', async (tx) => {
        // What was never changed has no row to lock.
        if (!tx.get(tx.state.settingRows, key)) return null;
        await session.lock(settingKey(key));
        const row = tx.get(tx.state.settingRows, key);
        return row ? { value: row.value, version: row.version } : null;
      }),
    async writeSetting({ key, value, reason, actor }) {
      const version = await session.statement('writeSetting', async (tx) => {
        await session.lock(settingKey(key));
        const { settingRows, settingChanges } = tx.state;
        const next = (tx.get(settingRows, key)?.version ?? 0) + 1;
        const change = { key, value, version: next, changedAtMs: nowMs, changedBy: actor, reason };
        tx.put(settingRows, key, change);
        tx.put(settingChanges, `${key} ${next}`, change);
        return next;
      });
      // Deadlines depend on settings: whoever waits for a machine or for its turn looks again now.
      await session.statement('wakeForSetting', (tx) =>
        wakeRows(tx, nowMs, ({ promotion: { status, setAside } }) => {
          return setAside === null && (status === 'in_progress' || status === 'queued');
        }),
      );
      return version;
    },
    listSettings: () =>
      session.statement('listSettings', (tx) =>
        [...tx.rows(tx.state.settingRows)].sort((a, b) => (a.key < b.key ? -1 : 1)),
      ),
  };
}

/** As if it had been set before the first promotion. */
export function putSetting(state: MemoryState, key: AnySettingKey, value: number): void {
  const version = (state.settingRows.get(key)?.version ?? 0) + 1;
  const changedBy = { kind: 'system', name: 'test' } as const;
  state.settingRows.set(key, { key, value, version, changedAtMs: 0, changedBy, reason: '' });
}

function settingKey(key: AnySettingKey): string {
  return `setting ${key}`;
}
