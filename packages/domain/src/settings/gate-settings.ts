/**
 * Timing of a gate, changed while promotions wait at it: `gates.tests.timeout` wherever a gate has that name,
 * `environments.prod.gates.tests.timeout` in one environment, which beats the other; both beat the definition in YAML.
 */
import { hasAttempts } from '../environment/environment-definition.ts';
import type { GateDefinition } from '../environment/environment-definition.ts';
import type { SettingEntry, Settings } from './settings.ts';

const MINUTE_MS = 60_000;

/** The ranges are those of the definition in YAML. */
export const GATE_SETTINGS = {
  timeout: { unit: 'duration', min: 10, max: 60 * MINUTE_MS, purpose: 'deadline of one attempt at the gate' },
  retries: { unit: 'count', min: 0, max: 10, purpose: 'attempts at the gate after the first' },
  backoff: { unit: 'duration', min: 0, max: 60 * MINUTE_MS, purpose: 'pause before the second attempt, then doubled' },
} as const satisfies Record<string, Omit<SettingEntry, 'standard'>>;

export type GateSetting = keyof typeof GATE_SETTINGS;
export type GateSettingKey = `gates.${string}.${GateSetting}` | `environments.${string}.gates.${string}.${GateSetting}`;

export interface GateSettingParts {
  /** Null: in every environment. */
  readonly environment: string | null;
  readonly gate: string;
  readonly setting: GateSetting;
}

const NAME = '[a-z0-9][a-z0-9-]{0,62}';
const KEY = new RegExp(`^(?:environments\\.(${NAME})\\.)?gates\\.(${NAME})\\.(timeout|retries|backoff)$`);

/** `environments.prod.gates.tests.timeout` → its parts; null for any other text. */
export function partsOfGateKey(key: string): GateSettingParts | null {
  const [, environment, gate, setting] = KEY.exec(key) ?? [];
  if (gate === undefined || setting === undefined) return null;
  // One of the three words of the pattern.
  return { environment: environment ?? null, gate, setting: setting as GateSetting };
}

export function isGateSettingKey(key: string): key is GateSettingKey {
  return partsOfGateKey(key) !== null;
}

/** The gate as it is timed now. Gates without attempts are as their definition says. */
export function withGateSettings(gate: GateDefinition, environment: string, settings: Settings): GateDefinition {
  if (!hasAttempts(gate)) return gate;
  const now = (setting: GateSetting): number | undefined =>
    settings[`environments.${environment}.gates.${gate.name}.${setting}`] ?? settings[`gates.${gate.name}.${setting}`];
  return {
    ...gate,
    timeoutMs: now('timeout') ?? gate.timeoutMs,
    retryCount: now('retries') ?? gate.retryCount,
    backoffMs: now('backoff') ?? gate.backoffMs,
  };
}
