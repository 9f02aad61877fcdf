/** What one run of the torture does: short in CI, long by environment variables. */

export interface TorturePlan {
  readonly seed: number;
  readonly postgres: 15 | 18;
  /** At least so many of each before the run may end. */
  readonly serverKills: number;
  readonly postgresKills: number;
  readonly pauses: number;
  readonly partitions: number;
  readonly fullDisks: number;
  /** Promotions that the client asks for in a second, while it gets answers. */
  readonly promotionsPerSecond: number;
  /** Between one fault and the next. */
  readonly faultEveryMs: number;
  /** A run that is not through by then has failed. */
  readonly timeoutMs: number;
}

/** `TORTURE_SERVER_KILLS=300 TORTURE_POSTGRES_KILLS=100 npm run test:system -- torture` */
export function readPlan(env: NodeJS.ProcessEnv, postgres: 15 | 18): TorturePlan {
  const number = (name: string, standard: number): number => {
    const value = Number(env[`TORTURE_${name}`] ?? standard);
    if (!Number.isFinite(value) || value < 0) throw new Error(`TORTURE_${name} is no number`);
    return value;
  };
  return {
    seed: number('SEED', Math.floor(Math.random() * 2 ** 31)),
    postgres,
    serverKills: number('SERVER_KILLS', 12),
    postgresKills: number('POSTGRES_KILLS', 5),
    pauses: number('PAUSES', 1),
    partitions: number('PARTITIONS', 1),
    fullDisks: number('FULL_DISKS', 1),
    promotionsPerSecond: number('PER_SECOND', 20),
    faultEveryMs: number('FAULT_EVERY_MS', 2_500),
    timeoutMs: number('TIMEOUT_MS', 240_000),
  };
}
