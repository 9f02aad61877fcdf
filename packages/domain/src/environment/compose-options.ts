/** A project of Compose, as a target of kind `compose` declares it. */
import type { Json } from '../values/canonical-json.ts';

export interface JsonMap {
  readonly [key: string]: Json | undefined;
}

export interface ComposeOptions {
  /** Service → the component of the release that is its image. At least one; several may be of one component. */
  readonly components: Readonly<Record<string, string>>;
  /** Name of the project, by which its containers are told from others. Default: that of the target. */
  readonly project: string;
  /** The engine's socket, absolute, on its host; null: where the host's `docker` looks by itself. */
  readonly socket: string | null;
  /**
   * The Compose file, without images of services that are components. It reads nothing of the host that it runs on:
   * neither variables nor other files.
   */
  readonly compose: JsonMap;
  /**
   * Service → variable → where its value is, `env:STELLA_SECRET_…` or `file:/…`, read at each deploy and written into no
   * lock. Absent: none.
   */
  readonly secretEnv?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** `api.DB_PASSWORD` → where its value is, in the order of the definition. */
export function composeSecrets({
  secretEnv = {},
}: Pick<ComposeOptions, 'secretEnv'>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(secretEnv).flatMap(([service, variables]) =>
      Object.entries(variables).map(([variable, reference]) => [`${service}.${variable}`, reference]),
    ),
  );
}

/** Empty for what is no mapping, such as the service that is one of its image alone. */
export function composeMap(value: Json | undefined): JsonMap {
  return isJsonMap(value) ? value : {};
}

/** Of a mapping, or of a list of `name=value`, both of which Compose takes for labels and variables. */
export function composeEntries(value: Json | undefined): readonly (readonly [name: string, value: Json | undefined])[] {
  if (!Array.isArray(value)) return Object.entries(composeMap(value));
  return value.map((item: Json) => {
    const text = typeof item === 'string' ? item : JSON.stringify(item);
    const end = text.indexOf('=');
    return end === -1 ? [text, undefined] : [text.slice(0, end), text.slice(end + 1)];
  });
}

function isJsonMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
