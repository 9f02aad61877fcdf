/** What only this machine can tell when the API does not answer: whether the processes live, and what they said last. */
import { type Check, type CheckFact, type CheckFinding, passed } from '../doctor/check.ts';
import type { MachineSight } from './machine-sight.ts';

/** Whether the database answers; the address never holds a password. */
export interface DatabaseAnswer {
  readonly address: string;
  /** Null: it answers. */
  readonly refusal: string | null;
}

export interface Machine extends MachineSight {
  readonly database: DatabaseAnswer;
  /** Why the variables of the installed service are refused; null when they are not, or there are none. */
  readonly configurationError: string | null;
}

const START = 'stella service start orchestrator';
const RESTART = 'stella service restart orchestrator';
const LOGS = 'stella service logs orchestrator';
/** PostgreSQL needs room for one segment of its log to start. */
const FREE_BYTES_MIN = 33_554_432;

export function machineChecks(machine: Machine): readonly Check[] {
  return [
    {
      id: 'check.machine.orchestrator',
      title: 'The orchestrator of this machine runs and is ready',
      why: 'while none runs, promotions stand still; nothing of them is lost',
      look: () => Promise.resolve(judgeOrchestrator(machine)),
    },
    {
      id: 'check.machine.database',
      title: 'The database of this machine runs and answers',
      why: 'everything is in it: without it an orchestrator can neither start nor go on',
      look: () => Promise.resolve(judgeDatabase(machine)),
    },
    {
      id: 'check.machine.log',
      title: 'The logs tell of no failure since the last start',
      why: 'what ended a process is mostly its last words',
      look: () => Promise.resolve(judgeLogs(machine)),
    },
  ];
}

function judgeOrchestrator(machine: Machine): CheckFinding {
  const { report, orchestrator, configurationError } = machine;
  const facts = orchestratorFacts(machine);
  if (report.state === 'elsewhere') {
    return { status: 'skip', message: report.note ?? 'it runs elsewhere', facts, remedy: null };
  }
  if (report.pid === null) return notRunning(machine, facts);
  if (orchestrator?.state === 'stopped') {
    const text = 'let it go on: somebody, or a debugger, has stopped it by a signal';
    const remedy = { text, command: `kill -CONT ${report.pid}` };
    return { status: 'fail', message: `pid ${report.pid} is stopped (SIGSTOP)`, facts, remedy };
  }
  if (report.isReady) return passed(`pid ${report.pid} runs and is ready`, facts);
  if (machine.database.refusal !== null) {
    const remedy = { text: 'cure the database', command: 'stella doctor --offline --check check.machine.database' };
    return { status: 'fail', message: `pid ${report.pid} runs without its database`, facts, remedy };
  }
  if (report.state === 'starting' || report.state === 'draining') {
    const remedy = { text: 'wait, and follow what it says', command: `${LOGS} --follow` };
    return { status: 'warn', message: `pid ${report.pid} is ${report.state}`, facts, remedy };
  }
  const message = `pid ${report.pid} runs and is not ready: ${report.note ?? configurationError ?? 'it does not say why'}`;
  return { status: 'fail', message, facts, remedy: restartRemedy(machine) };
}

function notRunning({ report, orchestrator, configurationError }: Machine, facts: readonly CheckFact[]): CheckFinding {
  const isZombie = orchestrator?.state === 'zombie';
  const message = isZombie
    ? `pid ${orchestrator.pid} has ended and is a zombie: its parent does not take note of it`
    : `it does not run${report.note === null ? '' : `: ${report.note}`}`;
  if (configurationError !== null) {
    const text = `correct what it is started with (${configurationError}), then start it`;
    return { status: 'fail', message, facts, remedy: { text, command: START } };
  }
  if (report.state === 'waiting' || report.state === 'blocked') {
    const text =
      'see why it ended; it is started again by itself, and at once with stella service restart orchestrator';
    return { status: 'fail', message, facts, remedy: { text, command: LOGS } };
  }
  return { status: 'fail', message, facts, remedy: { text: 'start it', command: START } };
}

/** One that somebody started by hand is ended by its number: nobody would start it again. */
function restartRemedy({ report: { manager, pid } }: Machine): NonNullable<CheckFinding['remedy']> {
  if (manager !== 'hand') return { text: 'start it anew; nothing is lost', command: RESTART };
  return { text: `end it, then start it as a service: ${START}`, command: `kill -TERM ${pid}` };
}

function orchestratorFacts({ report, orchestrator }: Machine): readonly CheckFact[] {
  const { dataDir, state, manager, url, lastExit, restartCount } = report;
  return [
    { what: 'data directory', value: dataDir },
    {
      what: 'state',
      value: `${state}${orchestrator?.state ? `, process ${orchestrator.pid} ${orchestrator.state}` : ''}`,
    },
    { what: 'managed by', value: manager === 'hand' ? 'nobody: it was started by hand' : (manager ?? 'nobody') },
    ...(url === null ? [] : [{ what: 'address', value: url }]),
    ...(lastExit === null
      ? []
      : [{ what: 'last end', value: `${lastExit.signal ?? `exit ${lastExit.exitCode}`}, ${restartCount} restarts` }]),
  ];
}

function judgeDatabase(machine: Machine): CheckFinding {
  const { report, postmasterState, database, disk } = machine;
  const { kind, pid, status, version } = report.database;
  const facts: readonly CheckFact[] = [
    { what: 'address', value: database.address },
    ...(kind === 'embedded'
      ? [{ what: 'process', value: pid === null ? 'none' : `${pid}, ${postmasterState ?? status}` }]
      : []),
    ...(version === null ? [] : [{ what: 'version', value: version }]),
    ...(disk === null ? [] : [{ what: 'disk', value: `${Math.floor(disk.freeBytes / 1_048_576)} MiB free` }]),
  ];
  if (database.refusal === null) return passed('it answers', facts);
  if (kind === 'external') {
    const text = 'start PostgreSQL there, or correct STELLA_DATABASE_URL and restart the orchestrator';
    return { status: 'fail', message: database.refusal, facts, remedy: { text, command: RESTART } };
  }
  if (kind === 'none') {
    const text = 'name the data directory of the orchestrator, or its database with --database-url';
    const command = 'stella doctor --offline --data-dir <directory>';
    return {
      status: 'fail',
      message: `there is no database below ${report.dataDir}`,
      facts,
      remedy: { text, command },
    };
  }
  if (pid === null) return downFinding(machine, facts);
  if (postmasterState === 'stopped') {
    const remedy = { text: 'let it go on', command: `kill -CONT ${pid}` };
    return { status: 'fail', message: `PostgreSQL, pid ${pid}, is stopped (SIGSTOP)`, facts, remedy };
  }
  const message = `PostgreSQL, pid ${pid}, is ${status ?? 'there'}, and does not answer: ${database.refusal}`;
  const remedy = { text: 'see what it says', command: `tail -n 20 ${report.dataDir}/postgres.log` };
  return { status: status === 'starting' ? 'warn' : 'fail', message, facts, remedy };
}

/** Why it does not run: no room, its own last words, or nothing that it could tell. */
function downFinding(machine: Machine, facts: readonly CheckFact[]): CheckFinding {
  const { report, disk, databaseErrors } = machine;
  const words = databaseErrors?.at(-1) ?? null;
  const hasNoRoom = disk !== null && disk.freeBytes < FREE_BYTES_MIN;
  // A running orchestrator starts it again by itself, every few seconds.
  const command = report.pid === null ? START : RESTART;
  const said = words === null ? facts : [...facts, { what: 'its last words', value: words }];
  if (hasNoRoom) {
    const text = `make room below ${report.dataDir}: df -h ${report.dataDir}; then start the orchestrator, which starts it`;
    return {
      status: 'fail',
      message: 'PostgreSQL does not run: its disk is full',
      facts: said,
      remedy: { text, command },
    };
  }
  if (words?.includes('No space left on device')) {
    const message = 'PostgreSQL does not run: its disk was full when it was started last';
    const text = 'there is room again: start the orchestrator, which starts it';
    return { status: 'fail', message, facts: said, remedy: { text, command } };
  }
  const message = `PostgreSQL does not run${words === null ? '' : `: ${words.replace(/^.*?\b(?=FATAL|PANIC)/, '')}`}`;
  const text =
    words === null ? 'start the orchestrator, which starts it' : 'cure what it says, then start the orchestrator';
  return { status: 'fail', message, facts: said, remedy: { text, command } };
}

function judgeLogs({ orchestratorErrors, databaseErrors, report }: Machine): CheckFinding {
  const facts = [
    ...(orchestratorErrors ?? []).map((value) => ({ what: 'orchestrator', value })),
    ...(databaseErrors ?? []).map((value) => ({ what: 'postgres', value })),
  ];
  const last = facts.at(-1);
  if (last) {
    const command = orchestratorErrors?.length ? LOGS : `tail -n 20 ${report.dataDir}/postgres.log`;
    return { status: 'warn', message: last.value, facts, remedy: { text: 'read what came before', command } };
  }
  if (orchestratorErrors === null && databaseErrors === null) {
    const message = 'there is no log to read here: look where it was started';
    return { status: 'skip', message, facts, remedy: null };
  }
  return passed('they tell of none since the last start');
}

/** For checks that need what is not there. */
export function skippedCheck(check: Pick<Check, 'id' | 'title' | 'why'>, message: string): Check {
  return { ...check, look: () => Promise.resolve({ status: 'skip', message, facts: [], remedy: null }) };
}
