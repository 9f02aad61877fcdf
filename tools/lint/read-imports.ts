/** Every way in which a file can name another module, as one list. */
import type { Node } from 'oxc-parser';
import type { ParsedSource } from '../code/parse-source.ts';
import { walk } from '../code/walk.ts';

export interface ImportUse {
  readonly specifier: string;
  readonly line: number;
  /** `static` import and re-export, `lazy` for `import()`, `require` for CommonJS. */
  readonly manner: 'static' | 'lazy' | 'require';
  /** True when nothing of it remains at run time. */
  readonly isType: boolean;
  /** Names taken from the module; null when all of it is taken (namespace, default, `import()`). */
  readonly names: readonly string[] | null;
}

/** The specifier of a computed `import(x)` or `require(x)` is `<computed>`. */
export function readImports(source: ParsedSource): readonly ImportUse[] {
  const uses: ImportUse[] = [];
  for (const item of source.module.staticImports) {
    const names = item.entries.map((entry) => entry.importName.name);
    uses.push({
      specifier: item.moduleRequest.value,
      line: source.lineAt(item.start),
      manner: 'static',
      isType: item.entries.length > 0 && item.entries.every((entry) => entry.isType),
      names: namesOrAll(names),
    });
  }
  for (const entry of source.module.staticExports.flatMap((item) => item.entries)) {
    if (entry.moduleRequest === null) continue;
    uses.push({
      specifier: entry.moduleRequest.value,
      line: source.lineAt(entry.start),
      manner: 'static',
      isType: entry.isType,
      names: namesOrAll([entry.importName.name]),
    });
  }
  walk(source.program, (node) => {
    const use = readExpression(node);
    if (use !== null) uses.push({ ...use, line: source.lineAt(node.start) });
  });
  return uses;
}

function namesOrAll(names: readonly (string | null)[]): readonly string[] | null {
  const known = names.filter((name) => name !== null);
  return known.length === names.length ? known : null;
}

function readExpression(node: Node): Omit<ImportUse, 'line'> | null {
  if (node.type === 'ImportExpression') {
    return { specifier: textOf(node.source), manner: 'lazy', isType: false, names: null };
  }
  if (node.type === 'TSImportType') {
    return { specifier: textOf(node.source), manner: 'static', isType: true, names: null };
  }
  if (node.type === 'TSExternalModuleReference') {
    return { specifier: textOf(node.expression), manner: 'require', isType: false, names: null };
  }
  const isRequire =
    node.type === 'CallExpression' && node.callee.type === 'Identifier' && node.callee.name === 'require';
  const [argument] = isRequire ? node.arguments : [];
  return argument === undefined ? null : { specifier: textOf(argument), manner: 'require', isType: false, names: null };
}

function textOf(node: Node): string {
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  const [only] = node.type === 'TemplateLiteral' && node.expressions.length === 0 ? node.quasis : [];
  return only?.value.cooked ?? '<computed>';
}
