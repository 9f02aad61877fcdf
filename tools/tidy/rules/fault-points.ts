/** Every fault point is hit by the product and armed by a crash test, by its name or by the whole list. */
import { arrayTexts } from '../../code/read-constants.ts';
import { makeRegistryRule } from '../registry-rule.ts';

export const faultPoints = makeRegistryRule({
  name: 'fault-points',
  noun: 'fault point',
  file: /^packages\/server\/src\/.*fault-points\.ts$/,
  read: (source) =>
    source.module.staticExports
      .flatMap((item) => item.entries)
      .flatMap((entry) => arrayTexts(source, entry.exportName.name ?? '')),
  testFiles: /^packages\/server\/test\/crash\//,
  list: /^[A-Z_]*FAULT_POINTS$/,
});
