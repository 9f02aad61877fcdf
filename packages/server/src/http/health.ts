/** `/livez`, `/readyz`, `/metrics`: for machines, before authentication, and without anything that is secret. */
import type { FastifyInstance } from 'fastify';
import type { HttpDeps } from './route-handler.ts';

export function registerHealth(app: FastifyInstance, deps: HttpDeps): void {
  /** The process answers. */
  app.get('/livez', async () => ({ status: 'ok' }));

  /** Everything that this process is for makes progress: an open port proves nothing. */
  app.get('/readyz', async (_request, reply) => {
    const parts = await deps.readProgress();
    const isReady = parts.every((part) => part.isReady);
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not_ready', parts });
  });

  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await deps.renderMetrics();
    return reply.header('content-type', contentType).send(text);
  });
}
