/** Every error code is used by the product and met by a test; its page is generated (rule `generated`). */
import { basename } from 'node:path';
import { objectKeys } from '../../code/read-constants.ts';
import { makeRegistryRule } from '../registry-rule.ts';

export const errorCodes = makeRegistryRule({
  name: 'error-codes',
  noun: 'error code',
  file: /^packages\/domain\/src\/errors\/codes\/[^/]+-codes\.ts$/,
  read: (source) => objectKeys(source, constantOf(source.path)),
});

/** `…/not-found-codes.ts` holds `NOT_FOUND_CODES`. */
function constantOf(path: string): string {
  return basename(path, '.ts').replaceAll('-', '_').toUpperCase();
}
