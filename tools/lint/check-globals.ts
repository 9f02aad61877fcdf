/** Finds uses of the real clock, randomness, network and process where only ports may bring them. */
import type { Node } from 'oxc-parser';
import { WORLD_GLOBALS } from '../borders.ts';
import type { Finding } from '../code/finding.ts';
import type { ParsedSource } from '../code/parse-source.ts';
import { walkGlobals } from '../code/walk-globals.ts';
import { zoneFor } from './check-imports.ts';

export function checkGlobals(source: ParsedSource): readonly Finding[] {
  const zone = zoneFor(source.path);
  if (zone === null || zone.world === 'all') return [];
  const findings: Finding[] = [];
  walkGlobals(source.program, (name, node, parents) => {
    const use = worldUse(name, node, parents.at(-1));
    if (use === null) return;
    findings.push({
      path: source.path,
      line: source.lineAt(node.start),
      rule: 'border/world',
      message: `${zone.folder} may not use ${use.spelling}`,
      remedy:
        zone.world === 'nothing'
          ? 'take the value as an argument'
          : `take it through the port that replaces it: ${use.port}`,
    });
  });
  return findings;
}

/** Null when this use of the global is harmless, such as `new Date(0)` or `Math.max`. */
function worldUse(name: string, node: Node, parent: Node | undefined): { spelling: string; port: string } | null {
  if (name === 'globalThis' || name === 'global') return { spelling: name, port: 'whichever fits' };
  const entry = Object.hasOwn(WORLD_GLOBALS, name) ? WORLD_GLOBALS[name] : undefined;
  if (entry === undefined || parent === undefined) return null;
  if (entry.members === '*') return { spelling: name, port: entry.port };
  if (parent.type === 'MemberExpression' && parent.object === node) {
    if (parent.computed) return { spelling: `${name}[…]`, port: entry.port };
    const member = parent.property.type === 'Identifier' ? parent.property.name : '';
    return entry.members.includes(member) ? { spelling: `${name}.${member}`, port: entry.port } : null;
  }
  const readsClock =
    name === 'Date' &&
    (parent.type === 'NewExpression' || parent.type === 'CallExpression') &&
    parent.callee === node &&
    (parent.type === 'CallExpression' || parent.arguments.length === 0);
  return readsClock ? { spelling: 'the present time of Date', port: entry.port } : null;
}
