/** YAML documents → definitions, and back. */
import {
  AppError,
  type EnvironmentDefinition,
  formatDuration,
  type GateDefinition,
  type TargetDefinition,
} from '@stella/domain';
import { LineCounter, parseAllDocuments, stringify } from 'yaml';
import { readEnvironment } from './environment-fields.ts';
import { refuse, type YamlPlace } from './yaml-fields.ts';

/** Of one file. */
const TEXT_LENGTH_MAX = 1_048_576;
const DOCUMENTS_MAX = 200;

export interface ParsedEnvironment {
  readonly definition: EnvironmentDefinition;
  readonly file: string;
  /** Where the document begins. */
  readonly line: number;
}

/** Errors: `input.yaml` with file and line, `input.unknown_key`. Empty documents are skipped; aliases are refused. */
export function parseEnvironmentDocuments(text: string, file: string): readonly ParsedEnvironment[] {
  if (text.length > TEXT_LENGTH_MAX) {
    throw new AppError('input.yaml', {
      details: { file, line: 1, message: `longer than ${TEXT_LENGTH_MAX} characters` },
    });
  }
  const lines = new LineCounter();
  const place: YamlPlace = { file, lines };
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    version: '1.2',
  });
  if ('empty' in documents) return [];
  if (documents.length > DOCUMENTS_MAX) throw refuse(place, 1, `more than ${DOCUMENTS_MAX} documents`);
  const parsed: ParsedEnvironment[] = [];
  for (const document of documents) {
    const [error] = [...document.errors, ...document.warnings];
    if (error) throw refuse(place, lines.linePos(error.pos[0]).line, error.message);
    if (document.contents === null) continue;
    const { definition, line } = readEnvironment(place, document.contents);
    if (parsed.some((one) => one.definition.name === definition.name)) {
      throw refuse(place, line, `environment "${definition.name}" is defined twice`);
    }
    parsed.push({ definition, file, line });
  }
  return parsed;
}

/** What `parseEnvironmentDocuments` reads back to the same definition. */
export function formatEnvironmentYaml(definition: EnvironmentDefinition): string {
  const { name, promotesFrom, gates, targets, onFailure, precheck, deployDeadlineMs } = definition;
  return stringify({
    kind: 'Environment',
    name,
    promotesFrom,
    precheck,
    onFailure,
    deployDeadline: formatDuration(deployDeadlineMs),
    gates: gates.map(gateFields),
    targets: targets.map(targetFields),
  });
}

function gateFields(gate: GateDefinition): object {
  const common = { name: gate.name, kind: gate.kind, validFor: formatDuration(gate.validForMs) };
  switch (gate.kind) {
    case 'http':
      return {
        ...common,
        url: gate.url,
        headers: gate.headers,
        timeout: formatDuration(gate.timeoutMs),
        retries: gate.retryCount,
        backoff: formatDuration(gate.backoffMs),
      };
    case 'approval':
      return { ...common, count: gate.count, group: gate.group ?? [], deadline: formatDuration(gate.deadlineMs) };
    case 'soak':
      return {
        ...common,
        duration: formatDuration(gate.durationMs),
        environments: gate.environments,
        deadline: formatDuration(gate.deadlineMs),
      };
  }
}

function targetFields({ health, keepCount, ...target }: TargetDefinition): object {
  return {
    ...target,
    keep: keepCount,
    ...(health
      ? {
          health: {
            url: health.url,
            expectStatus: health.expectStatus,
            timeout: formatDuration(health.timeoutMs),
            interval: formatDuration(health.intervalMs),
            threshold: health.threshold,
            deadline: formatDuration(health.deadlineMs),
          },
        }
      : {}),
  };
}
