/** Where a gate's program is; nothing is run that lies elsewhere than whoever started the server has allowed. */
import { dirname, resolve } from 'node:path';
import type { CommandGateDefinition } from '@stella/domain';
import type { FileSystem } from '../ports/file-system.ts';
import { isWithinAny } from '../ports/within.ts';

export interface ProgramDeps {
  readonly fileSystem: Pick<FileSystem, 'realpath' | 'stat' | 'access' | 'constants'>;
  /** Below these programs may lie. Empty: none is run. */
  readonly commandDirectories: readonly string[];
}

export type FoundProgram =
  | { readonly isThere: true; readonly program: string; readonly directory: string }
  | {
      readonly isThere: false;
      readonly code: 'gate.program_forbidden' | 'gate.program_missing';
      readonly message: string;
    };

/** Both as they are written and as every link leads, the written path first: an answer tells nobody what exists elsewhere. */
export async function findProgram(
  { fileSystem, commandDirectories }: ProgramDeps,
  definition: Pick<CommandGateDefinition, 'program' | 'directory'>,
): Promise<FoundProgram> {
  const directory = definition.directory ?? dirname(definition.program);
  const outside = [definition.program, directory].find((path) => !isWithinAny(resolve(path), commandDirectories));
  if (outside !== undefined) return forbidden(outside);
  try {
    const allowed = await Promise.all(commandDirectories.map((path) => fileSystem.realpath(path).catch(() => path)));
    const [program, place] = [await fileSystem.realpath(definition.program), await fileSystem.realpath(directory)];
    const leading = [program, place].find((path) => !isWithinAny(path, allowed));
    if (leading !== undefined) return forbidden(leading);
    const stat = await fileSystem.stat(program);
    if (!stat.isFile()) return missing(`${program} is not a file`);
    if ((stat.mode & WRITABLE_BY_ALL) !== 0) return forbidden(program, 'everybody may write to it');
    await fileSystem.access(program, fileSystem.constants.X_OK);
    return { isThere: true, program, directory: place };
  } catch (error) {
    // Node's own errors have a code.
    return missing(`${definition.program}: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
  }
}

const WRITABLE_BY_ALL = 0o002;

function forbidden(path: string, why = 'it lies outside of STELLA_COMMAND_DIRECTORIES'): FoundProgram {
  return { isThere: false, code: 'gate.program_forbidden', message: `${path}: ${why}` };
}

function missing(message: string): FoundProgram {
  return { isThere: false, code: 'gate.program_missing', message };
}
