/** The database: what keeps every promotion from being written, and what keeps this one. */
import { formatDuration } from '../values/duration.ts';
import {
  type CaseView,
  commandRemedy,
  externalRemedy,
  type FindCauses,
  makeCause,
  makeFact,
  wholeSeconds,
} from './case-view.ts';
import { commandLine } from './command-line.ts';
import type { Cause, Fact } from './diagnosis.ts';
import type { DatabaseBlock } from './diagnosis-snapshot.ts';

/** PostgreSQL needs room for its log before it can write anything; at so little it is about to stop. */
const FREE_BYTES_MIN = 64 * 1_048_576;
/** Our own transactions end within milliseconds; one that holds a row for so long is not on its way. */
const BLOCK_AGE_MS_MIN = 3_000;
/** Of a session whose age may not be seen: its rows have been needed for so long. */
const BLIND_LATE_MS_MIN = 5_000;
/** A small read takes a few milliseconds. */
const READ_MS_MAX = 1_000;
/** Connections that are free for everybody but superusers are used up a little before the maximum. */
const CONNECTION_SHARE_MAX = 0.95;

const BYTES_PER_MIB = 1_048_576;

/** Whatever the promotion waits for: without writes nothing goes on. */
export const findDatabaseStops: FindCauses = (view) => {
  const { database } = view.whole;
  const causes: Cause[] = [];
  if (view.isEnded) return causes;
  if (database.isReadOnly) {
    causes.push(
      makeCause(view, 'database.read_only', {
        confidence: 'certain',
        facts: [makeFact('database', 'PostgreSQL', 'answers reads, and refuses writes', view.nowMs)],
        remedies: [
          externalRemedy({
            text: 'make the primary writable again (default_transaction_read_only, a fail-over that is not complete, a full disk)',
            command: commandLine('orch', 'status'),
            effect: 'promotions go on by themselves as soon as it takes writes',
            needs: 'viewer',
          }),
        ],
      }),
    );
  }
  const { disk } = database;
  if (disk !== null && disk.freeBytes < FREE_BYTES_MIN) {
    const value = `${Math.floor(disk.freeBytes / BYTES_PER_MIB)} MiB free at ${disk.path}`;
    causes.push(
      makeCause(view, 'database.disk_full', {
        confidence: 'certain',
        facts: [makeFact('database', 'disk of PostgreSQL', value, view.nowMs)],
        remedies: [
          externalRemedy({
            text: `free space at ${disk.path}, or make the volume larger; remove nothing inside of the database's directory`,
            command: commandLine('orch', 'status'),
            effect: 'promotions go on by themselves as soon as there is room',
            needs: 'viewer',
          }),
        ],
      }),
    );
  }
  return causes;
};

export const findContention: FindCauses = (view) => {
  if (view.isEnded) return [];
  return view.whole.database.blocks.filter((block) => doesBlock(view, block)).map((block) => contention(view, block));
};

function doesBlock(view: CaseView, block: DatabaseBlock): boolean {
  if (block.row === 'other') return block.waiterCount > 0 && (view.isStalled || view.lateMs >= BLIND_LATE_MS_MIN);
  if (block.ageMs === null) return view.lateMs >= BLIND_LATE_MS_MIN || view.isStalled;
  return block.ageMs >= BLOCK_AGE_MS_MIN;
}

function contention(view: CaseView, block: DatabaseBlock): Cause {
  const { nowMs } = view;
  const age =
    block.ageMs === null ? 'for a time that its role may not see' : `for ${formatDuration(wholeSeconds(block.ageMs))}`;
  const row = block.row === 'other' ? 'rows that the server needs' : `the row of the ${block.row}`;
  const who = [block.user, block.application].filter((word) => word !== '').join(', ');
  const facts: Fact[] = [
    makeFact('database', `session ${block.pid}`, `holds ${row} ${age}${who === '' ? '' : ` (${who})`}`, nowMs),
  ];
  if (block.query !== '') {
    const state = block.state === '' ? '' : `${block.state}: `;
    facts.push(makeFact('database', `query of ${block.pid}`, `${state}${block.query}`, nowMs));
  }
  if (block.waiterCount > 0) {
    facts.push(makeFact('database', 'waiting', `${block.waiterCount} sessions of the server wait for it`, nowMs));
  }
  return makeCause(view, 'database.contention', {
    confidence: block.row === 'other' ? 'likely' : 'certain',
    facts,
    remedies: [
      externalRemedy({
        text: `end the session: in psql, as its owner or a superuser, select pg_terminate_backend(${block.pid})`,
        command: commandLine('promotion', 'status', view.snapshot.promotion.id),
        effect: 'what that session has not committed is undone; the promotion goes on by itself',
        harm: 'low',
        needs: 'viewer',
      }),
      commandRemedy({
        text: 'hold locks of environments for a shorter time from now on',
        command: commandLine('orch', 'config', 'set', 'locks.mode', 'optimistic'),
        effect: 'prevents a part of such waits; does not free this row',
        needs: 'operator',
      }),
    ],
  });
}

/** Told only beside a trouble: alone they slow things down and stop nothing. */
export const findDatabaseStrain: FindCauses = (view) => {
  const { database } = view.whole;
  const causes: Cause[] = [];
  if (database.readMs >= READ_MS_MAX) {
    causes.push(
      makeCause(view, 'database.slow', {
        confidence: 'likely',
        facts: [
          makeFact('database', 'a small read', `took ${formatDuration(wholeSeconds(database.readMs))}`, view.nowMs),
        ],
        remedies: [
          externalRemedy({
            text: 'look at load, disk and network of PostgreSQL',
            command: commandLine('orch', 'status'),
            effect: 'promotions go on by themselves',
            needs: 'viewer',
          }),
        ],
      }),
    );
  }
  const { connectionCount, connectionCountMax } = database;
  if (connectionCount >= connectionCountMax * CONNECTION_SHARE_MAX) {
    causes.push(
      makeCause(view, 'database.connections', {
        confidence: 'likely',
        facts: [
          makeFact('database', 'connections', `${connectionCount} of ${connectionCountMax} are used`, view.nowMs),
        ],
        remedies: [
          externalRemedy({
            text: 'end what holds connections without need, or raise max_connections of PostgreSQL',
            command: commandLine('orch', 'status'),
            effect: 'workers connect again by themselves',
            needs: 'viewer',
          }),
        ],
      }),
    );
  }
  return causes;
};
