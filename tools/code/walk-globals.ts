/** Visits every use of a name that the file itself does not declare, so that a parameter named `fetch` is no global. */
import type { Node, Program } from 'oxc-parser';
import { childrenOf, isFunction } from './walk.ts';

export type VisitGlobal = (name: string, node: Node, parents: readonly Node[]) => void;

export function walkGlobals(program: Program, visit: VisitGlobal): void {
  const parents: Node[] = [];
  const scopes: ReadonlySet<string>[] = [];
  const step = (node: Node): void => {
    if (isTypeOnly(node)) return;
    const declared = declaredBy(node);
    if (declared !== null) scopes.push(declared);
    if (
      node.type === 'Identifier' &&
      isReference(node, parents.at(-1)) &&
      !scopes.some((names) => names.has(node.name))
    ) {
      visit(node.name, node, parents);
    }
    parents.push(node);
    for (const child of childrenOf(node)) step(child);
    parents.pop();
    if (declared !== null) scopes.pop();
  };
  step(program);
}

/** Nodes of TypeScript that hold expressions; all others of its nodes vanish at run time. */
const EXPRESSION_WRAPPERS: ReadonlySet<string> = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSTypeAssertion',
  'TSInstantiationExpression',
]);

function isTypeOnly(node: Node): boolean {
  return node.type.startsWith('TS') && !EXPRESSION_WRAPPERS.has(node.type);
}

/** False for names that are only labels: members, keys, import and export names. */
function isReference(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined) return false;
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed;
  if (parent.type === 'Property') return parent.value === node || parent.computed;
  if (parent.type === 'MethodDefinition' || parent.type === 'PropertyDefinition') {
    return parent.value === node || parent.computed;
  }
  return !['ImportSpecifier', 'ExportSpecifier', 'LabeledStatement', 'BreakStatement', 'MetaProperty'].includes(
    parent.type,
  );
}

/** Names that a node brings into scope for what stands inside of it; null when it opens no scope. */
function declaredBy(node: Node): ReadonlySet<string> | null {
  if (isFunction(node)) {
    return new Set([...node.params.flatMap(namesIn), ...(node.id ? [node.id.name] : [])]);
  }
  if (node.type === 'CatchClause') return new Set(node.param ? namesIn(node.param) : []);
  if (node.type === 'ForStatement') return new Set(node.init ? namesDeclared(node.init) : []);
  if (node.type === 'ForOfStatement' || node.type === 'ForInStatement') return new Set(namesDeclared(node.left));
  if (node.type === 'SwitchStatement') {
    return new Set(node.cases.flatMap((branch) => branch.consequent.flatMap(namesDeclared)));
  }
  if (node.type === 'Program' || node.type === 'BlockStatement' || node.type === 'StaticBlock') {
    return new Set(node.body.flatMap(namesDeclared));
  }
  return null;
}

function namesDeclared(node: Node): readonly string[] {
  if (node.type === 'ExportNamedDeclaration') return node.declaration ? namesDeclared(node.declaration) : [];
  if (node.type === 'ImportDeclaration') return node.specifiers.map((specifier) => specifier.local.name);
  if (node.type === 'VariableDeclaration') return node.declarations.flatMap((item) => namesIn(item.id));
  if (node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') return node.id ? [node.id.name] : [];
  return [];
}

/** Names bound by a pattern or parameter. */
function namesIn(pattern: Node): readonly string[] {
  if (pattern.type === 'Identifier') return [pattern.name];
  if (pattern.type === 'AssignmentPattern') return namesIn(pattern.left);
  if (pattern.type === 'RestElement') return namesIn(pattern.argument);
  if (pattern.type === 'ArrayPattern') return pattern.elements.flatMap((element) => (element ? namesIn(element) : []));
  if (pattern.type === 'ObjectPattern') {
    return pattern.properties.flatMap((item) => namesIn(item.type === 'RestElement' ? item : item.value));
  }
  return [];
}
