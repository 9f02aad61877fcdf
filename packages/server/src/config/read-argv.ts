/** A program of a definition with its arguments. */
import type { CommandArgv } from '@stella/domain';
import { checkArgument, checkProgram } from './definition-checks.ts';
import type { MapReader } from './map-reader.ts';

/** A program and its arguments. */
const ARGV_COUNT_MAX = 50;

/** It is run by env(1), which takes what has a "=" for a variable. */
function checkNoVariable(program: string): string | null {
  return program.includes('=') ? 'the path of a program cannot have a "="' : null;
}

/** The first is a program's path; of an argument that is given twice both count. */
export function readArgv(map: MapReader, key: string): CommandArgv {
  const [program = '', ...args] = map.list(key, checkArgument, { countMax: ARGV_COUNT_MAX, isRequired: true }) ?? [];
  const fault = program === '' ? null : (checkProgram(program) ?? checkNoVariable(program));
  if (fault !== null) map.refuse(key, `${key}: ${fault}`);
  return [program, ...args];
}
