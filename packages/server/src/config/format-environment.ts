/** A definition as the YAML that `apply` takes, for `environment show -o yaml`: every value in force is written out. */
import type {
  DeployStrategy,
  EnvironmentDefinition,
  GateDefinition,
  HttpGateDefinition,
  QuotaDefinition,
} from '@stella/domain';
import { formatDuration, QUOTA_NAMES, usualSkipRule } from '@stella/domain';
import { stringify } from 'yaml';
import { targetForm } from './format-target.ts';
import { ENVIRONMENT_KIND } from './parse-environments.ts';

/** The inverse of `parseEnvironmentDocuments`: one document, without `---`. Equal definitions give equal texts. */
export function formatEnvironmentYaml(definition: EnvironmentDefinition): string {
  const {
    name,
    promotesFrom,
    gates,
    targets,
    onFailure,
    precheck,
    queue,
    freezes,
    concurrency,
    deployDeadlineMs,
    strategy,
    quotas,
  } = definition;
  const document = {
    kind: ENVIRONMENT_KIND,
    name,
    promotesFrom,
    gates: gates.map(gateForm),
    targets: targets.map(targetForm),
    ...(strategy ? { strategy: strategyForm(strategy) } : {}),
    onFailure,
    precheck,
    queue,
    ...(freezes.length === 0
      ? {}
      : { freezes: freezes.map(({ from, to, zone, reason }) => ({ from, to, zone, reason })) }),
    concurrency,
    deployDeadline: formatDuration(deployDeadlineMs),
    ...(quotas ? { quotas: quotasForm(quotas) } : {}),
  };
  // A list that occurs twice is written twice: an alias would surprise the reader.
  return stringify(document, { version: '1.2', lineWidth: 0, aliasDuplicateObjects: false });
}

function strategyForm(strategy: DeployStrategy): object {
  if (strategy.kind === 'rolling') return { kind: strategy.kind, maxUnavailable: strategy.maxUnavailable };
  const { kind, targets, soakMs, judge } = strategy;
  const { url, expectStatus, timeoutMs, intervalMs, failuresAllowed, value } = judge;
  return {
    kind,
    targets,
    soak: formatDuration(soakMs),
    judge: {
      url,
      expectStatus,
      timeout: formatDuration(timeoutMs),
      interval: formatDuration(intervalMs),
      failuresAllowed,
      ...(value ? { value } : {}),
    },
  };
}

/** In the order of the names, wherever the limits come from. */
function quotasForm(quotas: QuotaDefinition): object {
  const limits = QUOTA_NAMES.filter((name) => quotas[name] !== undefined).map((name) => [name, quotas[name]]);
  return Object.fromEntries([...limits, ['timeZone', quotas.timeZone]]) as object;
}

function gateForm(gate: GateDefinition): object {
  const common = {
    name: gate.name,
    kind: gate.kind,
    validFor: formatDuration(gate.validForMs),
    skip: gate.skip ?? usualSkipRule(gate.kind),
    ...(gate.onRollback === undefined ? {} : { onRollback: gate.onRollback }),
  };
  switch (gate.kind) {
    case 'http':
      return {
        ...common,
        url: gate.url,
        ...(Object.keys(gate.headers).length === 0 ? {} : { headers: gate.headers }),
        timeout: formatDuration(gate.timeoutMs),
        retries: gate.retryCount,
        backoff: formatDuration(gate.backoffMs),
        mode: modeOf(gate),
        ...(gate.pollIntervalMs === undefined ? {} : { interval: formatDuration(gate.pollIntervalMs) }),
        ...(gate.callback === undefined ? {} : { secret: gate.callback.secret }),
        ...(gate.slaMs === undefined ? {} : { sla: formatDuration(gate.slaMs) }),
        ...(gate.probe === undefined ? {} : { probe: gate.probe }),
      };
    case 'command':
      return {
        ...common,
        program: gate.program,
        ...(gate.args.length === 0 ? {} : { args: gate.args }),
        ...(gate.directory === null ? {} : { directory: gate.directory }),
        timeout: formatDuration(gate.timeoutMs),
        retries: gate.retryCount,
        backoff: formatDuration(gate.backoffMs),
        ...(gate.slaMs === undefined ? {} : { sla: formatDuration(gate.slaMs) }),
      };
    case 'approval':
      return {
        ...common,
        count: gate.count,
        ...(gate.group ? { group: gate.group } : {}),
        deadline: formatDuration(gate.deadlineMs),
      };
    case 'soak':
      return {
        ...common,
        duration: formatDuration(gate.durationMs),
        environments: gate.environments,
        deadline: formatDuration(gate.deadlineMs),
      };
    case 'dependency':
      return {
        ...common,
        requires: gate.requires.map(({ environment, state, component, release }) => ({
          environment,
          state,
          ...(component === null ? {} : { component }),
          ...(release === null ? {} : { release }),
        })),
        deadline: formatDuration(gate.deadlineMs),
      };
    case 'window':
      return {
        ...common,
        zone: gate.zone,
        ...(gate.allow.length === 0 ? {} : { allow: gate.allow.map(({ days, from, to }) => ({ days, from, to })) }),
        deadline: formatDuration(gate.deadlineMs),
      };
  }
}

function modeOf({ callback, pollIntervalMs }: HttpGateDefinition): string {
  if (callback !== undefined) return 'callback';
  return pollIntervalMs === undefined ? 'sync' : 'poll';
}
