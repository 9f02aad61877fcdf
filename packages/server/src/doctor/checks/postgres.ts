/** Whether the database answers, takes writes, and has room for further connections. */
import type { MonitoringFacts, OrchestratorFacts } from '../../ports/read-store.ts';
import { type Check, type CheckFinding, passed } from '../check.ts';

/** The oldest that is supported and tested. */
const MAJOR_MIN = 15;
const CONNECTIONS_RATIO_WARN = 0.9;
/** Of a few counts by index; beyond it, every tick of every promotion is slow. */
const ANSWER_MS_WARN = 500;
const BYTES_PER_MIB = 1_048_576;

export const postgres: Check = {
  id: 'check.storage.postgres',
  title: 'The database answers and takes writes',
  why: 'it is the engine: without it nothing moves, and nothing is lost either',
  async look({ reads, settings, clock }) {
    const askedMs = clock.monotonicMs();
    const [facts, { database }] = await Promise.all([
      reads.readFacts(settings['stuck.after']),
      reads.readMonitoring(settings['stuck.after'], { stalledCount: 1, workerCount: 1 }),
    ]);
    return judge(facts, database, clock.monotonicMs() - askedMs);
  },
};

function judge(
  { databaseVersion, schemaVersion }: OrchestratorFacts,
  database: MonitoringFacts['database'],
  tookMs: number,
): CheckFinding {
  const facts = [
    { what: 'version', value: `${databaseVersion}, schema ${schemaVersion}` },
    { what: 'answered in', value: `${Math.round(tookMs)} ms` },
    { what: 'connections', value: `${database.connectionCount} of ${database.connectionCountMax}` },
    { what: 'size', value: `${Math.ceil(database.sizeBytes / BYTES_PER_MIB)} MiB` },
  ];
  if (Number.parseInt(databaseVersion, 10) < MAJOR_MIN) {
    const remedy = { text: `upgrade it to ${MAJOR_MIN} or later`, command: null };
    return { status: 'fail', message: `PostgreSQL ${databaseVersion} is too old`, facts, remedy };
  }
  if (!database.isWritable) {
    const text = 'name the primary in STELLA_DATABASE_URL, promote the standby, or unset default_transaction_read_only';
    return { status: 'fail', message: 'it takes no writes', facts, remedy: { text, command: null } };
  }
  if (database.connectionCount > database.connectionCountMax * CONNECTIONS_RATIO_WARN) {
    const text = 'see who holds them in pg_stat_activity, or raise max_connections';
    return { status: 'warn', message: 'few connections are left', facts, remedy: { text, command: null } };
  }
  if (tookMs > ANSWER_MS_WARN) {
    const text = 'look at the load of its machine and at long transactions in pg_stat_activity';
    return { status: 'warn', message: 'it answers slowly', facts, remedy: { text, command: null } };
  }
  return passed(`PostgreSQL ${databaseVersion} answers and takes writes`, facts);
}
