/** How the state of the service is shown: lines for people, one object for programs. */
import { formatDuration } from '@stella/domain/client';
import type { Done, ServiceReport } from '@stella/server/service';
import { textView, type View } from '../../view.ts';

/** Instants as text, as everywhere in data. */
export function reportData(report: ServiceReport): Readonly<Record<string, unknown>> {
  const { upSinceMs, nextStartAtMs, lastExit, startedAt: _, ...rest } = report;
  return {
    service: 'orchestrator',
    ...rest,
    upSince: instantOf(report.pid === null ? null : upSinceMs),
    nextStartAt: instantOf(nextStartAtMs),
    lastExit: lastExit && { at: instantOf(lastExit.atMs), exitCode: lastExit.exitCode, signal: lastExit.signal },
  };
}

export function reportView(report: ServiceReport): View {
  return textView({ name: 'orchestrator', data: reportData(report), text: (nowMs) => describe(report, nowMs) });
}

/** `started`, `restarted`, `stopped`, with how long it took. */
export function doneView(what: string, { report, wasThere, tookMs, drainedMs }: Done): View {
  const data = { ...reportData(report), wasThere, tookMs: Math.round(tookMs), drainedMs: Math.round(drainedMs) };
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  const where = report.url === null ? '' : `, pid ${report.pid}, ${report.url}`;
  const drain = drainedMs > 0 ? ` (drained in ${seconds(drainedMs)})` : '';
  const done = what === 'stopped' ? ` in ${seconds(tookMs)}` : `, ready in ${seconds(tookMs)}${drain}`;
  const text = wasThere ? `orchestrator ${what} already${where}` : `orchestrator ${what}${done}${where}`;
  return textView({ name: 'orchestrator', data, text: () => text });
}

const MANAGER_TEXTS: Readonly<Record<NonNullable<ServiceReport['manager']>, string>> = {
  systemd: 'systemd, stella-orchestrator.service',
  supervisor: 'a supervisor of its own',
  hand: 'nobody: it was started by hand',
};

function describe(report: ServiceReport, nowMs: number): string {
  const { manager, supervisorPid, url, version, restartCount, note, isReady, logFile } = report;
  const by = manager === null ? 'nobody yet; install or start it' : MANAGER_TEXTS[manager];
  return [
    `Service     orchestrator of ${report.dataDir}`,
    `State       ${stateText(report, nowMs)}`,
    `Ready       ${isReady ? 'yes' : `no${note === null ? '' : `: ${note}`}`}`,
    ...(url === null ? [] : [`Server      ${url}, version ${version}`]),
    `Managed by  ${by}${supervisorPid === null ? '' : `, pid ${supervisorPid}`}`,
    `Restarts    ${restartCount}${exitText(report, nowMs)}`,
    `PostgreSQL  ${databaseText(report.database)}`,
    ...(logFile === null ? [] : [`Log         ${logFile}`]),
    ...(isReady && note !== null ? [`Note        ${note}`] : []),
  ].join('\n');
}

function stateText({ state, pid, upSinceMs, nextStartAtMs }: ServiceReport, nowMs: number): string {
  if (pid !== null) {
    const since = upSinceMs === null ? '' : `, up ${ageText(upSinceMs, nowMs)} since ${instantOf(upSinceMs)}`;
    return `${state}, pid ${pid}${since}`;
  }
  return nextStartAtMs === null ? state : `${state}, next start in ${ageText(nowMs, nextStartAtMs)}`;
}

function exitText({ lastExit }: ServiceReport, nowMs: number): string {
  if (lastExit === null) return '';
  const how = lastExit.signal ?? (lastExit.exitCode === null ? 'unknown how' : `code ${lastExit.exitCode}`);
  return `; last exit ${how}, ${ageText(lastExit.atMs, nowMs)} ago`;
}

function databaseText({ kind, pid, status, version }: ServiceReport['database']): string {
  if (kind === 'external') return 'another one, by STELLA_DATABASE_URL';
  if (kind === 'none') return 'none yet: the first start makes it';
  return pid === null ? `embedded ${version ?? ''}, not running` : `embedded ${version ?? ''}, ${status}, pid ${pid}`;
}

function ageText(fromMs: number, toMs: number): string {
  return formatDuration(Math.round(Math.max(0, toMs - fromMs) / 1_000) * 1_000);
}

function instantOf(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
