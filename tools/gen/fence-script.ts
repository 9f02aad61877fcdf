/** The fence script of targets as a text of the program, which has no other files when it is installed. */
import type { SourceTree } from '../code/source-tree.ts';

export const FENCE_SCRIPT_SOURCE = 'packages/server/src/targets/fence-script/fence.sh';
export const FENCE_SCRIPT_PATH = 'packages/server/src/targets/fence-script/fence-script.ts';

/** Without its comments: it goes with every call. */
export function renderFenceScript({ read }: Pick<SourceTree, 'read'>): string {
  const lines = (read(FENCE_SCRIPT_SOURCE) ?? '').split('\n').filter((line) => !/^\s*#/.test(line));
  const text = lines.join('\n').replaceAll(/[\\`]|\$\{/g, (found) => `\\${found}`);
  return `/** Written by \`npm run gen\` from \`fence.sh\`; see \`tools/gen/fence-script.ts\`. */\nexport const FENCE_SCRIPT = \`${text}\`;\n`;
}
