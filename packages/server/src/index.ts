export {
  readServerConfig,
  type ServeFlags,
  type ServerConfig,
  SERVER_ROLES,
  LISTEN_STANDARD,
} from './config/server-config.ts';
export type { EffectCall, RunEffect } from './engine/effects.ts';
export { makePinoLogger } from './main/pino-logger.ts';
export { type RunningServer, SERVER_FILE, startServer } from './main/start-server.ts';
export type { Clock } from './ports/clock.ts';
export type * from './ports/command-store.ts';
export type * from './ports/debt-store.ts';
export type * from './ports/engine-store.ts';
export type * from './ports/observation-store.ts';
export type { Logger } from './ports/logger.ts';
export type * from './ports/notification-store.ts';
export type * from './ports/registry-credentials.ts';
export type * from './ports/probe-store.ts';
export type { SettingChange } from './ports/read-store.ts';
export type * from './ports/sequencer-store.ts';
export { METRICS, type MetricDefinition } from './metrics/metric-definitions.ts';
