/** Reads registries, which are `export const NAME = { … }` or `[ … ]`, from the syntax tree, so that rules need not run them. */
import type { Expression, Node } from 'oxc-parser';
import type { ParsedSource } from './parse-source.ts';
import { walk } from './walk.ts';

export interface Named {
  readonly name: string;
  /** Offset into the text. */
  readonly start: number;
}

/** Keys of the object that a constant is; empty when there is no such constant. */
export function objectKeys(source: ParsedSource, constant: string): readonly Named[] {
  const value = findConstant(source, constant);
  if (value?.type !== 'ObjectExpression') return [];
  return value.properties.flatMap((property) => {
    if (property.type !== 'Property') return [];
    const { key } = property;
    const name = key.type === 'Identifier' ? key.name : key.type === 'Literal' ? key.value : null;
    return typeof name === 'string' ? [{ name, start: property.start }] : [];
  });
}

/** Texts of the array that a constant is. */
export function arrayTexts(source: ParsedSource, constant: string): readonly Named[] {
  const value = findConstant(source, constant);
  if (value?.type !== 'ArrayExpression') return [];
  return value.elements.flatMap((element) =>
    element?.type === 'Literal' && typeof element.value === 'string'
      ? [{ name: element.value, start: element.start }]
      : [],
  );
}

/** Every text that a file holds: string literals, constant templates, and keys of objects. */
export function textsOf(source: ParsedSource): ReadonlySet<string> {
  const texts = new Set<string>();
  walk(source.program, (node) => {
    if (node.type === 'Literal' && typeof node.value === 'string') texts.add(node.value);
    if (node.type === 'TemplateElement') texts.add(node.value.cooked ?? '');
    if (node.type === 'Property' && node.key.type === 'Identifier' && !node.computed) texts.add(node.key.name);
  });
  return texts;
}

function findConstant(source: ParsedSource, constant: string): Expression | null {
  let found: Expression | null = null;
  walk(source.program, (node) => {
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.id.name === constant && node.init) {
      found = unwrap(node.init);
    }
  });
  return found;
}

/** Without `as const` and `satisfies …`, and out of `Object.freeze(…)`. */
function unwrap(value: Expression): Expression {
  if (value.type === 'TSAsExpression' || value.type === 'TSSatisfiesExpression') return unwrap(value.expression);
  if (value.type === 'CallExpression' && isFreeze(value.callee)) {
    const [argument] = value.arguments;
    if (argument !== undefined && argument.type !== 'SpreadElement') return unwrap(argument);
  }
  return value;
}

function isFreeze(node: Node): boolean {
  return node.type === 'MemberExpression' && node.property.type === 'Identifier' && node.property.name === 'freeze';
}
