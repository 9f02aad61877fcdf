/** A rule over a registry: each entry must be used by the product, met by a test and, for some, described in `docs/`. */
import type { Finding } from '../code/finding.ts';
import type { ParsedSource } from '../code/parse-source.ts';
import { type Named, textsOf } from '../code/read-constants.ts';
import { isTest } from '../code/source-tree.ts';
import type { Rule, Workspace } from './rule.ts';

export interface RegistryRuleOptions {
  readonly name: string;
  readonly noun: string;
  /** Where the registry is. */
  readonly file: RegExp;
  readonly read: (source: ParsedSource) => readonly Named[];
  /** Default true; false for a registry that is generated from its uses. */
  readonly isUseNeeded?: boolean;
  /** Default true. */
  readonly isTestNeeded?: boolean;
  /** Tests that count; default all of them. */
  readonly testFiles?: RegExp;
  /** A test that imports a list of this name meets every entry. */
  readonly list?: RegExp;
  /** Pages of which one must name each entry; default none. */
  readonly documents?: RegExp;
}

export function makeRegistryRule(options: RegistryRuleOptions): Rule {
  return {
    name: options.name,
    check: (workspace) => {
      const registries = workspace.sources.filter((source) => options.file.test(source.path));
      const lacks = makeLacks(workspace, registries, options);
      return registries.flatMap((registry) =>
        options.read(registry).flatMap((entry) =>
          lacks(entry.name).map(([message, remedy]): Finding => {
            const words = `the ${options.noun} "${entry.name}" ${message}`;
            const line = registry.lineAt(entry.start);
            return { path: registry.path, line, rule: `tidy/${options.name}`, message: words, remedy };
          }),
        ),
      );
    },
  };
}

type Lack = readonly [message: string, remedy: string];

function makeLacks(
  { tree, sources }: Workspace,
  registries: readonly ParsedSource[],
  options: RegistryRuleOptions,
): (name: string) => readonly Lack[] {
  const product = sources.filter(
    (source) => /^packages\/(?!testkit)[^/]+\/src\//.test(source.path) && !isTest(source.path),
  );
  const used = textsIn(product.filter((source) => !registries.includes(source)));
  const tests = sources.filter((source) => isTest(source.path) && (options.testFiles?.test(source.path) ?? true));
  const tested = textsIn(tests);
  const testTexts = tree.paths
    .filter((path) => isTest(path) && (options.testFiles?.test(path) ?? true))
    .map((path) => tree.read(path) ?? '');
  const isListTested = tests.some((source) =>
    source.module.staticImports.some((item) => item.entries.some((entry) => options.list?.test(entry.localName.value))),
  );
  const pages = tree.paths.filter((path) => options.documents?.test(path)).map((path) => tree.read(path) ?? '');
  return (name) => {
    const lacks: Lack[] = [];
    if (options.isUseNeeded !== false && !used.has(name)) lacks.push(['is used nowhere', 'use it or remove it']);
    // Within longer texts, such as transcripts, only a name with a dot is unmistakable.
    const inside = new RegExp(`(^|[^\\w.-])${name.replaceAll('.', '\\.')}($|[^\\w.-])`);
    const isMentioned = name.includes('.') && testTexts.some((text) => inside.test(text));
    const isTested = isListTested || tested.has(name) || isMentioned;
    if (options.isTestNeeded !== false && !isTested) lacks.push(['is met by no test', 'add a test that meets it']);
    const isDescribed = options.documents === undefined || pages.some((page) => page.includes(`\`${name}\``));
    if (!isDescribed) lacks.push(['is described nowhere in docs/', `describe \`${name}\` in a page of docs/`]);
    return lacks;
  };
}

function textsIn(sources: readonly ParsedSource[]): ReadonlySet<string> {
  return new Set(sources.flatMap((source) => [...textsOf(source)]));
}
