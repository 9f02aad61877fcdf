/**
 * The lock file names every package that its packages may need on any platform. npm leaves out one that it could not
 * find: `npm install` then passes, and `npm ci` fails on a clean clone.
 */
import type { Finding } from '../../code/finding.ts';
import type { Rule } from '../rule.ts';

interface LockedPackage {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export const lockfile: Rule = {
  name: 'lockfile',
  check: ({ tree }) => {
    // Written by npm; another shape makes the lines below throw, which fails the check.
    const { packages } = JSON.parse(tree.read('package-lock.json') ?? '{ "packages": {} }') as {
      packages: Readonly<Record<string, LockedPackage>>;
    };
    const locked = new Set(
      Object.entries(packages)
        .filter(([, entry]) => entry.version !== undefined)
        .map(([path]) => path.split('node_modules/').at(-1)),
    );
    return Object.entries(packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {})
        .filter((name) => !locked.has(name))
        .map(
          (name): Finding => ({
            path: 'package-lock.json',
            line: 1,
            rule: 'tidy/lockfile',
            message: `${path} may need ${name}, which is not locked`,
            remedy: 'pin a version of which every platform package can be had, and try npm ci from a clean clone',
          }),
        ),
    );
  },
};
