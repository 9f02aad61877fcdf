/** Turns the answers of a route into JSON: only what the contract names, whatever a handler hands out. */
import { type RouteName, ROUTE_SCHEMAS, toSchema } from '@stella/contract';
import compile from 'fast-json-stringify';

export type Serialize = (answer: unknown) => string;

/** Compiles with the first answer: to compile those of all routes would be half a second of each start. */
export function lazySerializer(name: RouteName): Serialize {
  let serialize: Serialize | null = null;
  return (answer) => {
    serialize ??= makeSerializer(name);
    return serialize(answer);
  };
}

export function makeSerializer(name: RouteName): Serialize {
  return compile(answerSchema(name));
}

/** JSON Schema with everything in place. */
function answerSchema(name: RouteName): object {
  const components = new Map<string, Record<string, unknown>>();
  const schema = toSchema(ROUTE_SCHEMAS[name].answer, 'output', components);
  const text = JSON.stringify({ ...schema, definitions: Object.fromEntries(components) });
  return JSON.parse(text.replaceAll('#/components/schemas/', '#/definitions/')) as object;
}
