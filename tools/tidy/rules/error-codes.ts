/** Every error code is used by the product and met by a test; its page is generated (rule `generated`). */
import { objectKeys } from '../../code/read-constants.ts';
import { makeRegistryRule } from '../registry-rule.ts';

export const errorCodes = makeRegistryRule({
  name: 'error-codes',
  noun: 'error code',
  file: /^packages\/domain\/src\/errors\/error-codes\.ts$/,
  read: (source) => objectKeys(source, 'ERROR_CODES'),
});
