/** A number that is a length of time carries its unit as the last word of its name: `timeoutMs`, `lease_ms`. */
import type { Node } from 'oxc-parser';
import { walk } from '../../code/walk.ts';
import { makeFileRule } from '../rule.ts';

const TIME_WORD = /(timeout|delay|interval|duration|ttl|deadline|backoff|elapsed|age|lease|period)$/i;
/** Words that only end like one of the above. */
const OTHER_WORD = /(page|package|message|image|usage|storage|stage|coverage|average|language|manage|release)$/i;

export const units = makeFileRule('units', (source, report) => {
  walk(source.program, (node) => {
    const name = numberName(node);
    if (name === null || !TIME_WORD.test(name) || OTHER_WORD.test(name)) return;
    report(node.start, `"${name}" does not say its unit`, `name it ${name}Ms, or after the unit that it has`);
  });
});

/** Name of a parameter, variable or member that is declared as a number, or is set to a plain number. */
function numberName(node: Node): string | null {
  if (node.type === 'Identifier' && node.typeAnnotation?.typeAnnotation.type === 'TSNumberKeyword') return node.name;
  if (node.type === 'TSPropertySignature' && node.typeAnnotation?.typeAnnotation.type === 'TSNumberKeyword') {
    return node.key.type === 'Identifier' ? node.key.name : null;
  }
  if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.init?.type === 'Literal') {
    return typeof node.init.value === 'number' ? node.id.name : null;
  }
  return null;
}
