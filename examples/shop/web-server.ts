/**
 * Serves one directory's `current/` on loopback: `web-server <directory>`. It knows the directory and nothing of
 * Stella; what it serves is what the last promotion has switched to. Prints its URL.
 */
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.json': 'application/json',
};

const [directory = '.'] = process.argv.slice(2);
const server = createServer((request, response) => {
  const path = normalize(new URL(request.url ?? '/', 'http://shop').pathname);
  const name = path.endsWith('/') ? `${path}index.html` : path;
  const file = createReadStream(join(directory, 'current', name));
  file.once('open', () => {
    response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream' });
    file.pipe(response);
  });
  file.once('error', () => {
    if (!response.headersSent) response.writeHead(404);
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address) console.log(`http://127.0.0.1:${address.port}`);
});
process.once('SIGTERM', () => process.exit(0));
