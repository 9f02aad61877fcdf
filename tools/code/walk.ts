/** Visits every node of a syntax tree, outer before inner. */
import { type ArrowFunctionExpression, type Function as NamedFunction, type Node, visitorKeys } from 'oxc-parser';

/** `parents` goes from the program down to the node's own parent; it is reused, so copy it to keep it. */
export type Visit = (node: Node, parents: readonly Node[]) => void;

export function walk(root: Node, visit: Visit): void {
  const parents: Node[] = [];
  const step = (node: Node): void => {
    visit(node, parents);
    parents.push(node);
    for (const child of childrenOf(node)) step(child);
    parents.pop();
  };
  step(root);
}

export function childrenOf(node: Node): readonly Node[] {
  const children: Node[] = [];
  for (const key of visitorKeys[node.type] ?? []) {
    // The parser lists under `visitorKeys` only members that hold a node, a list of nodes, or null.
    const member = (node as unknown as Record<string, Node | readonly (Node | null)[] | null | undefined>)[key];
    const listed: readonly (Node | null | undefined)[] = isList(member) ? member : [member];
    for (const child of listed) {
      if (child) children.push(child);
    }
  }
  return children;
}

/** `Array.isArray` alone makes `any` of a read-only list. */
function isList(value: unknown): value is readonly (Node | null)[] {
  return Array.isArray(value);
}

export type FunctionNode = NamedFunction | ArrowFunctionExpression;

/** Functions with a body, of any spelling. */
export function isFunction(node: Node): node is FunctionNode {
  return (
    node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'
  );
}
