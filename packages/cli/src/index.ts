export type { CommandSpec, Terminal } from './command.ts';
export { COMMANDS } from './commands/all.ts';
export { makeProgram } from './program.ts';
export { runCli } from './run-cli.ts';
