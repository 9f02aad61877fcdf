/** Every fault point is hit by the product and armed by a crash test, by its name or by the whole list. */
import type { ParsedSource } from '../../code/parse-source.ts';
import { arrayTexts, type Named } from '../../code/read-constants.ts';
import { FAULT_POINTS_PATH } from '../../gen/fault-points.ts';
import { makeRegistryRule } from '../registry-rule.ts';

export const faultPoints = makeRegistryRule({
  name: 'fault-points',
  noun: 'fault point',
  file: /^packages\/server\/src\/(?!faults\/).*fault-points\.ts$/,
  read: listedPoints,
  testFiles: /^packages\/server\/test\/crash\//,
  list: /^[A-Z_]*FAULT_POINTS$/,
});

/** Those that are generated from their uses must each be named: the test says in which scenario it is met. */
export const generatedFaultPoints = makeRegistryRule({
  name: 'generated-fault-points',
  noun: 'fault point',
  file: new RegExp(`^${FAULT_POINTS_PATH.replaceAll('.', '\\.')}$`),
  read: listedPoints,
  isUseNeeded: false,
  testFiles: /^packages\/server\/test\/crash\//,
});

function listedPoints(source: ParsedSource): readonly Named[] {
  return source.module.staticExports
    .flatMap((item) => item.entries)
    .flatMap((entry) => arrayTexts(source, entry.exportName.name ?? ''));
}
