/** `stella release create`: tags are resolved to digests once, now. */
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { requiredText, textsOption } from '../../input.ts';
import { releaseView } from './release-view.ts';

export const releaseCreate: CommandSpec = {
  path: ['release', 'create'],
  summary: 'Make an immutable release; tags are resolved to digests once',
  kind: 'write',
  options: [
    { flags: '--name <name>', summary: 'unique, for people: shop-2.4.1', isRequired: true },
    {
      flags: '--component <name=artifact...>',
      summary: 'registry/repository:tag, …@sha256:…, or oci-layout:/directory:tag',
      isRequired: true,
    },
  ],
  examples: ['stella release create --name shop-2.4.1 --component web=127.0.0.1:5000/shop/web:2.4.1'],
  async run({ connect, show, globals }, { options }) {
    const components = textsOption(options, 'component').map(parseComponent);
    const { client, idempotencyKey } = await connect();
    const body = { name: requiredText(options, 'name'), components, dryRun: globals.isDryRun };
    show(releaseView(await client.call('createRelease', { body, idempotencyKey })));
    return undefined;
  },
};

function parseComponent(text: string): { name: string; artifact: string } {
  const match = /^([^=]+)=(.+)$/.exec(text);
  if (match?.[1] && match[2]) return { name: match[1], artifact: match[2] };
  const message = `"${text}" is not a component; expected <name>=<artifact>`;
  throw new AppError('cli.usage', { details: { message } });
}
