/** The services that gates of healthy promotions ask, on one port. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Services } from './healthy.ts';

const LATE_MS = 1_000;
const PASSED = '{"verdict":"passed"}';

export async function startGateServices(): Promise<Services & { readonly close: () => void }> {
  /** Questions so far, by path and promotion. */
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      const [, promotion = ''] = /"promotionId":"([^"]+)"/.exec(text) ?? [];
      const key = `${request.url ?? ''} ${promotion}`;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      const answer = (status: number, body: string): void =>
        void response.writeHead(status, { 'content-type': 'application/json' }).end(body);
      if (request.url === '/late') setTimeout(() => answer(200, PASSED), LATE_MS);
      else if (request.url === '/polled' && count < 3) answer(202, '{"verdict":"pending"}');
      else if (request.url === '/slipping' && count === 1) answer(503, 'restarting');
      else answer(200, request.url === '/refusing' ? '{"verdict":"failed"}' : PASSED);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  const { port } = server.address() as AddressInfo;
  const url = (name: string): string => `http://127.0.0.1:${port}/${name}`;
  return {
    quick: url('quick'),
    late: url('late'),
    polled: url('polled'),
    slipping: url('slipping'),
    refusing: url('refusing'),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
