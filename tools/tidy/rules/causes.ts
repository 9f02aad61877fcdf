/** Every cause that a diagnosis can name is found by the product, met by a test, and described for people on call. */
import { objectKeys } from '../../code/read-constants.ts';
import { makeRegistryRule } from '../registry-rule.ts';

export const causes = makeRegistryRule({
  name: 'causes',
  noun: 'cause',
  file: /^packages\/domain\/src\/diagnosis\/causes\.ts$/,
  read: (source) => objectKeys(source, 'CAUSE_TABLE'),
  documents: /^docs\/diagnosis\.md$/,
});
