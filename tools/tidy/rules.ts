/** All rules of tidy, in the order in which they are documented in CONTRIBUTING.md. */
import type { Rule } from './rule.ts';
import { casts } from './rules/casts.ts';
import { causes } from './rules/causes.ts';
import { dependencies } from './rules/dependencies.ts';
import { droppedErrors } from './rules/dropped-errors.ts';
import { endlessLoops } from './rules/endless-loops.ts';
import { errorCodes } from './rules/error-codes.ts';
import { faultPoints, generatedFaultPoints } from './rules/fault-points.ts';
import { fileComments } from './rules/file-comments.ts';
import { fileNames } from './rules/file-names.ts';
import { generated } from './rules/generated.ts';
import { kinds } from './rules/kinds.ts';
import { lockfile } from './rules/lockfile.ts';
import { machinePaths } from './rules/machine-paths.ts';
import { publicFaces } from './rules/public-faces.ts';
import { safetyPage } from './rules/safety-page.ts';
import { scripts } from './rules/scripts.ts';
import { settings } from './rules/settings.ts';
import { sizes } from './rules/sizes.ts';
import { sql } from './rules/sql.ts';
import { tests } from './rules/tests.ts';
import { units } from './rules/units.ts';

export const RULES: readonly Rule[] = [
  fileNames,
  fileComments,
  sizes,
  units,
  publicFaces,
  casts,
  droppedErrors,
  endlessLoops,
  sql,
  tests,
  errorCodes,
  settings,
  faultPoints,
  generatedFaultPoints,
  kinds,
  causes,
  safetyPage,
  generated,
  dependencies,
  lockfile,
  scripts,
  machinePaths,
];
