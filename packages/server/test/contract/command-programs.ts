/** Programs of a `command` target that keep what runs in a file, whose path is their argument. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface CommandPrograms {
  readonly deploy: string;
  readonly observe: string;
  readonly state: string;
}

export async function makeCommandPrograms(root: string): Promise<CommandPrograms> {
  const folder = join(root, 'bin');
  await mkdir(folder, { recursive: true });
  const make = async (name: string, line: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\n${line}\n`);
    await chmod(path, 0o755);
    return path;
  };
  return {
    deploy: await make('deploy', 'printf "%s" "$STELLA_DIGEST" >"$1"'),
    observe: await make('observe', '[ ! -e "$1" ] || cat "$1"'),
    state: join(root, 'running'),
  };
}
