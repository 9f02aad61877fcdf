/**
 * Serves one directory's `current/` on loopback: `web-server <directory>`. It knows the directory and nothing of
 * Stella; what it serves is what the last promotion has switched to. Prints its URL.
 */
import { createServer } from 'node:http';
import { join } from 'node:path';
import sirv from 'sirv';

const [directory = '.'] = process.argv.slice(2);
// `dev`: looks at the disk for each request, because what is there changes.
const server = createServer(sirv(join(directory, 'current'), { dev: true, etag: true }));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address) console.log(`http://127.0.0.1:${address.port}`);
});
process.once('SIGTERM', () => process.exit(0));
