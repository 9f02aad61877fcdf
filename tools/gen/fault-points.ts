/**
 * `packages/server/src/faults/fault-points.ts`: every place at which a crash could lose or repeat something, read from the
 * source. Two around each asynchronous method of a port that changes the world or asks it, one before each statement
 * that writes or locks, and two around the commit. A read inside of a transaction is no place of its own: a crash there
 * leaves what a crash before the next write leaves.
 */
import type { Node } from 'oxc-parser';
import { type ParsedSource, parseSource } from '../code/parse-source.ts';
import type { SourceTree } from '../code/source-tree.ts';
import { walk } from '../code/walk.ts';

export const FAULT_POINTS_PATH = 'packages/server/src/faults/fault-points.ts';

const PORTS_FOLDER = 'packages/server/src/ports';
/** Name of the points → file and interface. Ports that only read, or only compute, have none. */
const PORTS: Readonly<Record<string, readonly [file: string, name: string]>> = {
  engine_store: ['engine-store.ts', 'EngineStore'],
  command_store: ['command-store.ts', 'CommandStore'],
  sequencer_store: ['sequencer-store.ts', 'SequencerStore'],
  gate: ['gate.ts', 'GateEvaluator'],
  target: ['target.ts', 'Target'],
  registry: ['registry.ts', 'Registry'],
};

/** Migrations run in one transaction of their own, before there is a worker. */
const STATEMENT_FILES = /^packages\/server\/src\/store\/[^/]+(?<!\.test)\.ts$/;
const WRITES =
  /\b(insert into|update \w+ |delete from|for (no key )?update|for share|nextval|select (prune|raise|renew)_)/;

export function renderFaultPoints(tree: Pick<SourceTree, 'paths' | 'read'>): string {
  const read = (path: string): ParsedSource => parseSource(path, tree.read(path) ?? '');
  const ports = Object.entries(PORTS).flatMap(([point, [file, name]]) =>
    asyncMethods(read(`${PORTS_FOLDER}/${file}`), name).map((method) => `${point}.${method}`),
  );
  const statements = tree.paths.filter((path) => STATEMENT_FILES.test(path)).flatMap((path) => writers(read(path)));
  return [
    `/** Written by \`npm run gen\` from the ports and the statements of the store; see \`tools/gen/fault-points.ts\`. */`,
    list(
      'PORT_FAULT_POINTS',
      ports.flatMap((port) => [`${port}.before`, `${port}.after`]),
    ),
    'export type PortFaultPoint = (typeof PORT_FAULT_POINTS)[number];',
    '',
    '/** Before the statement of that name is sent; around the commit also after it. */',
    list('STATEMENT_FAULT_POINTS', [
      ...[...new Set(statements)].toSorted().map((name) => `sql.${name}`),
      'sql.commit.before',
      'sql.commit.after',
    ]),
    'export type StatementFaultPoint = (typeof STATEMENT_FAULT_POINTS)[number];',
    '',
  ].join('\n');
}

function list(name: string, points: readonly string[]): string {
  return [`export const ${name} = [`, ...points.map((point) => `  '${point}',`), '] as const;'].join('\n');
}

/** Methods of an interface that answer a promise. Throws when there is no such interface, or it has none. */
function asyncMethods(source: ParsedSource, name: string): readonly string[] {
  const methods: string[] = [];
  walk(source.program, (node) => {
    if (node.type !== 'TSInterfaceDeclaration' || node.id.name !== name) return;
    for (const member of node.body.body) {
      if (member.type !== 'TSMethodSignature' || member.key.type !== 'Identifier') continue;
      const answer = member.returnType?.typeAnnotation;
      if (answer !== undefined && isPromise(answer)) methods.push(member.key.name);
    }
  });
  if (methods.length === 0)
    throw new Error(`${source.path}: no interface ${name} with a method that answers a promise`);
  return methods;
}

function isPromise(type: Node): boolean {
  return type.type === 'TSTypeReference' && type.typeName.type === 'Identifier' && type.typeName.name === 'Promise';
}

/** Names of statements that write or lock. A text that is computed counts as one. */
function writers(source: ParsedSource): readonly string[] {
  const names: string[] = [];
  walk(source.program, (node) => {
    if (node.type !== 'ObjectExpression') return;
    const name = memberOf(node, 'name');
    const text = memberOf(node, 'text');
    if (name?.type !== 'Literal' || typeof name.value !== 'string' || name.value === '' || text === null) return;
    const isKnown = text.type === 'Literal' || text.type === 'TemplateLiteral';
    if (!isKnown || WRITES.test(source.text.slice(text.start, text.end))) names.push(name.value);
  });
  return names;
}

function memberOf(node: Extract<Node, { type: 'ObjectExpression' }>, key: string): Node | null {
  for (const property of node.properties) {
    if (property.type === 'Property' && property.key.type === 'Identifier' && property.key.name === key) {
      return property.value;
    }
  }
  return null;
}
