/** `stella orch artifacts get <digest>`: where an artifact is used; with `--check`, whether it is still there. */
import type { Answer } from '@stella/contract/client';
import { EXIT_CODES, type CommandSpec } from '../../command.ts';
import { isSet, positional } from '../../input.ts';
import { textView } from '../../view.ts';

type Artifact = Answer<'getArtifact'>;

const LABEL_WIDTH = 10;

export const orchArtifactsGet: CommandSpec = {
  path: ['orch', 'artifacts', 'get'],
  summary: 'Which releases have an artifact, and which environments run it',
  kind: 'read',
  positionals: [{ name: 'digest', summary: 'sha256:…, or its unique start of 8 digits or more' }],
  options: [{ flags: '--check', summary: 'look whether it is still there; exit 1 when it is not' }],
  examples: ['stella orch artifacts get sha256:0b6f1c2d --check'],
  async run({ connect, show }, { positionals, options }) {
    const { client } = await connect();
    const parameters = { artifact: positional(positionals, 0) };
    const query = isSet(options, 'check') ? { check: 'true' as const } : {};
    const artifact = await client.call('getArtifact', { parameters, query });
    show(textView({ name: artifact.digest, data: artifact, text: () => describe(artifact) }));
    return artifact.sources.some((one) => one.isPresent === false) ? EXIT_CODES.error : EXIT_CODES.ok;
  },
};

function describe({ digest, mediaType, releases, sources }: Artifact): string {
  return [
    line('Artifact', digest),
    line('Type', mediaType),
    ...sources.flatMap(({ source, isPresent, message }, index) => [
      line(index === 0 ? 'In' : '', source),
      ...(isPresent === null
        ? []
        : [line(index === 0 ? 'Check' : '', `${isPresent ? 'present' : 'MISSING'}: ${message}`)]),
    ]),
    ...releases.map(({ release, component, environments }, index) => {
      const runs = environments.length === 0 ? '' : `, runs in ${environments.join(', ')}`;
      return line(index === 0 ? 'Releases' : '', `${release.name} (${component})${runs}`);
    }),
  ].join('\n');
}

function line(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${text}`;
}
