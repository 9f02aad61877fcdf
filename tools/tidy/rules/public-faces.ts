/** One public face per package: re-exports stand only in files that a package.json exports, and no other file is named index. */
import type { Rule } from '../rule.ts';

export const publicFaces: Rule = {
  name: 'public-faces',
  check: ({ tree, sources }) => {
    const faces = new Set(
      tree.paths
        .filter((path) => path.endsWith('package.json'))
        .flatMap((path) => facesOf(path, tree.read(path) ?? '{}')),
    );
    return sources
      .filter((source) => !faces.has(source.path))
      .flatMap((source) => {
        const reExport = source.module.staticExports.find((item) =>
          item.entries.some((entry) => entry.moduleRequest !== null),
        );
        const isIndex = /(^|\/)index\.tsx?$/.test(source.path);
        if (reExport === undefined && !isIndex) return [];
        return [
          {
            path: source.path,
            line: source.lineAt(reExport?.start ?? 0),
            rule: 'tidy/public-faces',
            message:
              reExport === undefined ? 'a file named index inside of a package' : 'a re-export inside of a package',
            remedy: reExport === undefined ? 'name it for its main export' : 'import from the file that owns it',
          },
        ];
      });
  },
};

/** Paths of the files that a package.json exports. */
function facesOf(path: string, text: string): readonly string[] {
  // One of our own files; another shape would show as findings in each public face.
  const { exports } = JSON.parse(text) as { exports?: Readonly<Record<string, string>> };
  const folder = path.slice(0, -'package.json'.length);
  return Object.values(exports ?? {}).map((file) => folder + file.replace(/^\.\//, ''));
}
