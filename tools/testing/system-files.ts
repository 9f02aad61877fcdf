/** Which files of `test/system` a name on the command line stands for. */

export type SystemFiles =
  | { readonly kind: 'found'; readonly paths: readonly string[] }
  | { readonly kind: 'unknown'; readonly name: string; readonly known: readonly string[] };

const TEST_FILE = /^([a-z0-9-]+)(?:\/.+)?\.test\.ts$/;

/**
 * `pickSystemFiles(['models'], ['models.test.ts', 'torture/kill.test.ts'])` → the first; `torture` is every test in the
 * folder of that name. No name: all of them.
 */
export function pickSystemFiles(names: readonly string[], files: readonly string[]): SystemFiles {
  const tests = files.filter((file) => TEST_FILE.test(file)).sort();
  const nameOf = (file: string): string => TEST_FILE.exec(file)?.[1]?.split('/')[0] ?? '';
  const known = [...new Set(tests.map(nameOf))];
  const wrong = names.find((name) => !known.includes(name));
  if (wrong !== undefined) return { kind: 'unknown', name: wrong, known };
  const paths = tests.filter((file) => names.length === 0 || names.includes(nameOf(file)));
  return { kind: 'found', paths };
}
