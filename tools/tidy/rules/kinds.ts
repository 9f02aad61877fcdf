/** Every gate kind and target kind is implemented, tested, and described in `docs/`. */
import { arrayTexts } from '../../code/read-constants.ts';
import { makeRegistryRule } from '../registry-rule.ts';

export const kinds = makeRegistryRule({
  name: 'kinds',
  noun: 'kind',
  file: /^packages\/domain\/src\/environment\/(?:environment|target)-definition\.ts$/,
  read: (source) => [...arrayTexts(source, 'GATE_KINDS'), ...arrayTexts(source, 'TARGET_KINDS')],
  documents: /^docs\/(?!adr\/).*\.md$/,
});
