/** Channels and deliveries of a command's transaction. */
import { channelHash, reopenDelivery } from '@stella/domain';
import type { CommandTransaction } from '@stella/server';
import type { MemorySession } from './memory-session.ts';
import { channelKey, deliveryKey } from './memory-state.ts';

type NotificationMethods = Pick<
  CommandTransaction,
  'lockChannels' | 'writeChannel' | 'removeChannel' | 'lockDelivery' | 'reopenDelivery'
>;

export function notificationMethods(session: MemorySession, nowMs: number): NotificationMethods {
  return {
    lockChannels: () =>
      session.statement('lockChannels', async (tx) => {
        const names = [...tx.rows(tx.state.channels)].map(({ definition }) => definition.name).sort();
        for (const name of names) await session.lock(channelKey(name));
        return names.flatMap((name) => {
          const row = tx.get(tx.state.channels, name);
          if (!row) return [];
          const { seenSeq: _own, ...record } = row;
          return [record];
        });
      }),
    writeChannel: (definition) =>
      session.statement('writeChannel', async (tx) => {
        await session.lock(channelKey(definition.name));
        const before = tx.get(tx.state.channels, definition.name);
        const version = (before?.version ?? 0) + 1;
        const record = { definition, version, hash: channelHash(definition), appliedAtMs: nowMs };
        const seenSeq = before?.seenSeq ?? tx.get(tx.state.chainHead, 'only')?.seq ?? 0;
        tx.put(tx.state.channels, definition.name, { ...record, seenSeq });
        return record;
      }),
    removeChannel: (name) =>
      session.statement('removeChannel', async (tx) => {
        await session.lock(channelKey(name));
        tx.remove(tx.state.channels, name);
        const pending = [...tx.rows(tx.state.deliveries)].filter(
          (row) => row.channel === name && row.state === 'pending',
        );
        for (const { id } of pending) {
          await session.lock(deliveryKey(id));
          const row = tx.get(tx.state.deliveries, id);
          if (row?.state !== 'pending') continue;
          const ended = { state: 'dead', dueAtMs: null, endedAtMs: nowMs, message: 'the channel was removed' } as const;
          tx.put(tx.state.deliveries, id, { ...row, ...ended });
        }
      }),
    lockDelivery: (id) =>
      session.statement('lockDelivery', async (tx) => {
        if (!tx.get(tx.state.deliveries, id)) return null;
        await session.lock(deliveryKey(id));
        const row = tx.get(tx.state.deliveries, id);
        if (!row) return null;
        const { source: _own, ...delivery } = row;
        return delivery;
      }),
    reopenDelivery: (delivery) =>
      session.statement('reopenDelivery', (tx) => {
        const opened = reopenDelivery(delivery, nowMs);
        const row = tx.get(tx.state.deliveries, delivery.id);
        if (row) tx.put(tx.state.deliveries, delivery.id, { ...row, ...opened });
        return opened;
      }),
  };
}
