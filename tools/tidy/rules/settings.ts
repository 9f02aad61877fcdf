/** Every setting is read by the product: one that nothing reads would be a switch without effect. */
import { objectKeys } from '../../code/read-constants.ts';
import { makeRegistryRule } from '../registry-rule.ts';

export const settings = makeRegistryRule({
  name: 'settings',
  noun: 'setting',
  file: /^packages\/domain\/src\/settings\/settings\.ts$/,
  read: (source) => objectKeys(source, 'SETTINGS'),
  isTestNeeded: false,
});
