/**
 * Every property of safety and liveness has its row in `docs/safety.md`, with a check and a test; every rule over stored
 * rows is named there, and has its twin in SQL.
 */
import type { Finding } from '../../code/finding.ts';
import { arrayTexts } from '../../code/read-constants.ts';
import type { ParsedSource } from '../../code/parse-source.ts';
import type { Rule } from '../rule.ts';

const PAGE = 'docs/safety.md';
const PROPERTIES_FILE = 'packages/domain/src/safety/violation.ts';
const PREDICATES = /^packages\/domain\/src\/safety\/[a-z-]+-rules\.ts$/;
const TWINS = /^packages\/server\/src\/store\/invariants\/[a-z-]+-invariants\.ts$/;
const RULE_NAME = /'([SL]\d+\.[a-z_]+)'/g;

export const safetyPage: Rule = {
  name: 'safety-page',
  check({ tree, sources }) {
    const properties = sources.find((source) => source.path === PROPERTIES_FILE);
    if (!properties) return [];
    const page = tree.read(PAGE) ?? '';
    const rows = readRows(page);
    const ofProperties = arrayTexts(properties, 'PROPERTIES').flatMap(({ name, start }): Finding[] => {
      const [, , check = '', test = ''] = rows.get(name) ?? [];
      if (check !== '' && test.includes('](')) return [];
      const message = `${name} has no row with a check and a test in ${PAGE}`;
      return [finding(PROPERTIES_FILE, properties.lineAt(start), message, 'write the row, and the check')];
    });
    const twins = new Set(
      sources
        .filter(({ path }) => TWINS.test(path))
        .flatMap(ruleNames)
        .map(({ name }) => name),
    );
    const ofRules = sources
      .filter(({ path }) => PREDICATES.test(path))
      .flatMap((source) => ruleNames(source).map(({ name, line }) => ({ path: source.path, name, line })))
      .flatMap(({ path, name, line }): Finding[] => {
        const findings: Finding[] = [];
        const remedy = 'a rule stands in the page, and in packages/server/src/store/invariants';
        if (!page.includes(`\`${name}\``))
          findings.push(finding(path, line, `${name} is not named in ${PAGE}`, remedy));
        if (!twins.has(name)) findings.push(finding(path, line, `${name} has no twin in SQL`, remedy));
        return findings;
      });
    return [...ofProperties, ...ofRules];
  },
};

/** Cells after the first, by the id in the first. */
function readRows(page: string): ReadonlyMap<string, readonly string[]> {
  const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  return new Map(rows.map(([, id = '', ...cells]) => [id, cells]));
}

function ruleNames(source: ParsedSource): { name: string; line: number }[] {
  return [...source.text.matchAll(RULE_NAME)].map((match) => ({
    name: match[1] ?? '',
    line: source.lineAt(match.index),
  }));
}

function finding(path: string, line: number, message: string, remedy: string): Finding {
  return { path, line, rule: 'tidy/safety-page', message, remedy };
}
