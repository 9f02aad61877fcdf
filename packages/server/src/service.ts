/** The public face for `stella service`: what is left of the server when it is not running. */
export {
  chooseManager,
  installLocally,
  localControl,
  superviseHere,
  thisProgram,
  unusedVariables,
} from './main/local-control.ts';
export { examineOffline } from './main/offline-doctor.ts';
export { makePinoLogger } from './main/pino-logger.ts';
export type { Installed } from './supervision/install.ts';
export { type Done, refuseForeign, restartService, startService, stopService } from './supervision/service-control.ts';
export type { ControlDeps } from './supervision/service-control.ts';
export { readReport, type ServiceReport } from './supervision/service-report.ts';
export { UNIT_NAME } from './supervision/systemd-unit.ts';
