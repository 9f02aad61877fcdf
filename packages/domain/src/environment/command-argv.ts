/** A program of a definition: its absolute path, then its arguments. Never a line for a shell. */
export type CommandArgv = readonly [string, ...string[]];
