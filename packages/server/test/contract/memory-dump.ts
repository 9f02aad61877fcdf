/** Every row of a memory state, in the words of PostgreSQL's columns. */
import type { Attempt, AttemptResult, Fence, TargetObservation } from '@stella/domain';
import type { MemoryState } from '@stella/testkit/memory';
import type { DumpRow, StoreDump } from './store-world.ts';

type Stored = MemoryState['promotions'] extends Map<infer _Id, infer Row> ? Row : never;

export function dumpMemory(state: MemoryState): StoreDump {
  const stored = [...state.promotions.values()];
  const attempts = stored.flatMap((row) =>
    [...row.attempts.values()].map((attempt) => ({ ...attempt, promotionId: row.promotion.id })),
  );
  return {
    promotions: sorted(stored.map(promotionRow), 'id'),
    steps: sorted(
      stored.flatMap((row) =>
        [...row.steps.values()].map((one) => ({ promotionId: row.promotion.id, ...renamed(one) })),
      ),
      'promotionId',
      'step',
    ),
    gateRuns: sorted(
      stored.flatMap((row) =>
        [...row.gateRuns.values()].map((one) => ({ promotionId: row.promotion.id, ...renamed(one) })),
      ),
      'id',
    ),
    attempts: sorted(attempts.map(attemptRow), 'operationId'),
    outcomes: sorted(outcomeRows(state, attempts), 'operationId', 'isLate', 'outcome', 'message'),
    outputs: sorted(
      [...state.outputs].map(([operationId, { output, endedAtMs }]) => ({ operationId, output, endedAt: endedAtMs })),
      'operationId',
    ),
    callbacks: sorted([...state.callbacks.values()].map(renamed), 'operationId'),
    approvals: sorted(
      stored.flatMap((row) =>
        row.approvals.map(({ atMs, ...one }) => ({ promotionId: row.promotion.id, ...one, decidedAt: atMs })),
      ),
      'id',
    ),
    skips: sorted(
      stored.flatMap((row) =>
        [...row.skips.values()].map((one) => ({ promotionId: row.promotion.id, ...renamed(one) })),
      ),
      'id',
    ),
    debts: sorted([...state.debts.values()].map(renamed), 'id'),
    locks: sorted([...state.locks.values()].map(fenced), 'id'),
    channels: sorted([...state.channels.values()].map(channelRow), 'name'),
    registries: sorted(
      [...state.registries.values()].map(({ definition, ...row }) => ({
        host: definition.host,
        definition,
        ...renamed(row),
      })),
      'host',
    ),
    deliveries: sorted([...state.deliveries.values()].map(renamed), 'id'),
    probes: sorted(
      [...state.probes.values()].map(({ subject, atMs, isOk, stages }) => ({
        ...subject,
        probedAt: atMs,
        isOk,
        stages,
      })),
      'environment',
      'kind',
      'name',
    ),
    owedWakes: [...state.owedWakes.values()].map(renamed),
    ...environmentRows(state),
    ...eventRows(state),
    ...settingRows(state),
    ...identityRows(state),
  };
}

function observationRow({ unseenSinceMs, driftSinceMs, lastBreak, ...rest }: TargetObservation): DumpRow {
  return {
    ...renamed(rest),
    unseenSinceAt: unseenSinceMs,
    driftSinceAt: driftSinceMs,
    brokenSinceAt: lastBreak?.sinceMs ?? null,
    brokenUntilAt: lastBreak?.untilMs ?? null,
    brokenComponents: lastBreak?.components ?? null,
  };
}

/** The promotion's columns; the definition is frozen by its hash. */
function promotionRow({ promotion, claimFailureCount }: Stored): DumpRow {
  const { definition: _frozenByHash, ending, setAside, inProgressSinceMs, ...rest } = promotion;
  return {
    ...renamed(rest),
    inProgressSinceAt: inProgressSinceMs,
    endingCode: ending?.code ?? null,
    endingMessage: ending?.message ?? null,
    setAsideAt: setAside?.atMs ?? null,
    setAsideMessage: setAside?.message ?? null,
    claimFailures: claimFailureCount,
  };
}

function channelRow({
  definition,
  ...row
}: MemoryState['channels'] extends Map<string, infer Row> ? Row : never): DumpRow {
  return { name: definition.name, definition, ...renamed(row) };
}

function attemptRow({ result: _apart, ...attempt }: Attempt & { readonly promotionId: string }): DumpRow {
  return fenced(attempt);
}

function outcomeRows(state: MemoryState, attempts: readonly Attempt[]): DumpRow[] {
  const toRow = (operationId: string, { output: _apart, ...result }: AttemptResult, isLate: boolean): DumpRow => ({
    operationId,
    isLate,
    ...renamed(result),
  });
  return [
    ...attempts.flatMap(({ operationId, result }) => (result ? [toRow(operationId, result, false)] : [])),
    ...[...state.lateOutcomes.values()].map(({ operationId, result }) => toRow(operationId, result, true)),
  ];
}

function environmentRows(state: MemoryState): StoreDump {
  return {
    rounds: sorted([...state.rounds.values()].map(renamed), 'environment'),
    observations: sorted([...state.observations.values()].map(observationRow), 'environment', 'target'),
    environments: sorted(
      [...state.environments.values()].map(({ stop, ...status }) => {
        const { version = 0, hash = '', appliedAtMs = 0 } = state.definitions.get(status.name) ?? {};
        const floor = state.fenceFloors.get(status.name);
        const { atMs: stoppedAt = null, ...holding } = stop ?? {};
        return {
          ...renamed(status),
          version,
          hash,
          appliedAt: appliedAtMs,
          stoppedAt,
          stop: stop === null ? null : holding,
          floorEpoch: floor?.epoch ?? null,
          floorN: floor?.n ?? null,
        };
      }),
      'name',
    ),
    releases: sorted(
      [...state.releases.values()].map(({ id, name, number, createdAtMs }) => ({
        id,
        name,
        number,
        createdAt: createdAtMs,
      })),
      'id',
    ),
    workers: sorted(
      [...state.workers].map(([id, { session: _own, ...worker }]) => ({ id, ...renamed(worker) })),
      'id',
    ),
  };
}

function eventRows(state: MemoryState): StoreDump {
  const rows = [...state.events.values()].sort((a, b) => a.id - b.id);
  return {
    events: rows.map(({ event: { atMs, ...event }, seq, chainHash }) => ({ ...event, at: atMs, seq, chainHash })),
    chainHead: [...state.chainHead.values()].map(renamed),
  };
}

function settingRows(state: MemoryState): StoreDump {
  return {
    settings: sorted([...state.settingRows.values()].map(renamed), 'key'),
    settingChanges: sorted([...state.settingChanges.values()].map(renamed), 'key', 'version'),
    idempotencyKeys: [...state.idempotencyKeys]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, row]) => {
        const { bodyHash, createdAtMs, answer } = row;
        const [actorId, ...rest] = name.split(' ');
        return {
          actorId,
          route: rest.slice(0, -1).join(' '),
          key: rest.at(-1),
          bodyHash,
          status: answer?.status ?? null,
          answer: answer?.body ?? null,
          createdAt: createdAtMs,
        };
      }),
  };
}

function identityRows(state: MemoryState): StoreDump {
  const owners = [
    ...[...state.persons].map(([id, { bindings }]) => ({ id: id as string, bindings })),
    ...[...state.automations.values()].map(({ id, bindings }) => ({ id: id as string, bindings })),
  ];
  return {
    persons: sorted(
      [...state.persons].map(([id, { subject, issuer = 'local', enrolledBy = null }]) => ({
        id,
        issuer,
        subject,
        enrolledBy,
      })),
      'id',
    ),
    bindings: sorted(
      owners.flatMap(({ id, bindings }) => bindings.map(({ role, pattern }) => ({ ownerId: id, role, pattern }))),
      'ownerId',
      'role',
      'pattern',
    ),
    tokens: sorted(
      [...state.tokens.values()].map(({ owner, ...token }) => ({
        ...renamed(token),
        personId: owner.kind === 'person' ? owner.id : null,
        automationId: owner.kind === 'automation' ? owner.id : null,
      })),
      'id',
    ),
    enrolments: sorted(
      [...state.enrolments].map(([codeHash, row]) => ({ codeHash, ...renamed(row) })),
      'codeHash',
    ),
  };
}

/** `{ endedAtMs: 5 }` → `{ endedAt: 5 }`, `{ heldUntilMs: 5 }` → `{ heldUntilAt: 5 }`. */
function renamed(value: object): DumpRow {
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name.replace(/UntilMs$/, 'UntilAt').replace(/AtMs$/, 'At'), field]),
  );
}

function fenced({ fence, ...rest }: { readonly fence: Fence | null }): DumpRow {
  return { ...renamed(rest), fenceEpoch: fence?.epoch ?? null, fenceN: fence?.n ?? null };
}

function sorted(rows: readonly DumpRow[], ...keys: readonly string[]): readonly DumpRow[] {
  return [...rows].sort((a, b) => {
    for (const key of keys) {
      const [left, right] = [a[key], b[key]] as [string | number, string | number];
      if (left !== right) return left < right ? -1 : 1;
    }
    return 0;
  });
}
