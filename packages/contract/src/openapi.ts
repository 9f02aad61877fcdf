/** The OpenAPI 3.1 description, made from the route table and the schemas; nothing in it is written by hand. */
import { z } from 'zod';
import { ROUTE_SCHEMAS } from './route-schemas.ts';
import { IDEMPOTENCY_HEADER, type Route, ROUTE_NAMES, ROUTES, TAGS } from './routes.ts';
import { problemSchema } from './schemas/problem.ts';

type JsonObject = Record<string, unknown>;

/** `version`: of the server. */
export function describeApi(version: string): JsonObject {
  const components = new Map<string, JsonObject>();
  const paths: Record<string, JsonObject> = {};
  for (const name of ROUTE_NAMES) {
    const route: Route = ROUTES[name];
    paths[route.path] = {
      ...paths[route.path],
      [route.method.toLowerCase()]: describeRoute(name, route, components),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Stella',
      version,
      description:
        'Promotes immutable releases of containers from environment to environment, with gates, approvals and evidence.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This server' }],
    security: [{ token: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'See: stella auth login' } },
      schemas: Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}

function describeRoute(name: keyof typeof ROUTES, route: Route, components: Map<string, JsonObject>): JsonObject {
  const { query, body, answer } = ROUTE_SCHEMAS[name];
  const success = String(route.status ?? 200);
  const media = route.answers === 'events' ? 'text/event-stream' : 'application/json';
  return {
    operationId: name,
    summary: route.summary,
    tags: [route.tag],
    ...(route.policy === 'public' ? { security: [] } : {}),
    parameters: [
      ...[...route.path.matchAll(/\{(\w+)\}/g)].map((match) => ({
        name: match[1],
        in: 'path',
        required: true,
        schema: { type: 'string', minLength: 1, maxLength: 200 },
      })),
      ...describeQuery(query, components),
      ...(body === null
        ? []
        : [
            {
              name: IDEMPOTENCY_HEADER,
              in: 'header',
              required: false,
              description: 'A repeat with the same key and body has one effect and gets the same answer, for 72 hours.',
              schema: { type: 'string', minLength: 1, maxLength: 200 },
            },
          ]),
    ],
    ...(body === null
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: toSchema(body, 'input', components) } },
          },
        }),
    responses: {
      [success]: {
        description: 'Done',
        content: { [media]: { schema: toSchema(answer, 'output', components) } },
      },
      '4XX': problemResponse('The request was refused', components),
      '5XX': problemResponse('The server could not do it now', components),
    },
  };
}

function problemResponse(description: string, components: Map<string, JsonObject>): JsonObject {
  return {
    description,
    content: { 'application/problem+json': { schema: toSchema(problemSchema, 'output', components) } },
  };
}

function describeQuery(query: z.ZodType, components: Map<string, JsonObject>): JsonObject[] {
  // A query is a flat object schema.
  const schema = toSchema(query, 'input', components) as { properties?: Record<string, JsonObject> };
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: 'query',
    required: false,
    schema: property,
  }));
}

/** JSON Schema of a zod schema; named parts become components. */
export function toSchema(schema: z.ZodType, io: 'input' | 'output', components: Map<string, JsonObject>): JsonObject {
  const json = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' }) as JsonObject;
  const { $schema: _dialect, $defs: definitions, ...rest } = json;
  for (const [name, definition] of Object.entries((definitions ?? {}) as Record<string, JsonObject>)) {
    components.set(name, withReferences(definition) as JsonObject);
  }
  const own = withReferences(rest) as JsonObject;
  const id = rest['id'];
  if (typeof id !== 'string') return own;
  const { id: _name, ...content } = own;
  components.set(id, content);
  return { $ref: `#/components/schemas/${id}` };
}

/** `#/$defs/X` → `#/components/schemas/X`, and no `id`, which OpenAPI does not know there. */
function withReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withReferences);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => {
    if (key === '$ref' && typeof item === 'string') return [key, item.replace('#/$defs/', '#/components/schemas/')];
    return [key, withReferences(item)];
  });
  const isNamedSchema =
    'id' in value && typeof value.id === 'string' && ('type' in value || 'enum' in value || 'anyOf' in value);
  return Object.fromEntries(isNamedSchema ? entries.filter(([key]) => key !== 'id') : entries);
}
