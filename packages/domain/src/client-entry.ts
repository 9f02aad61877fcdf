/**
 * What a client needs of the domain: the words of the wire, errors, durations. The command line starts with every command, so
 * it loads this and not the rules; `tools/bundle.test.ts` sees to it.
 */
export * from './errors/app-error.ts';
export { ERROR_KINDS, type ErrorKind } from './errors/codes/error-entry.ts';
export * from './errors/error-codes.ts';
export { GATE_RUN_STATES } from './promotion/status.ts';
export * from './promotion/status.ts';
export { formatDuration, parseDuration } from './values/duration.ts';
export { nearestOf } from './values/nearest.ts';
