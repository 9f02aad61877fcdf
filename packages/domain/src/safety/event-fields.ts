/** What events say in their data, read without trust: a rule must not stumble over the row that it is to report. */
import type { Json } from '../values/canonical-json.ts';

/** Null: there is no such text. */
export function textField(data: Json, name: string): string | null {
  const value = field(data, name);
  return typeof value === 'string' ? value : null;
}

/** 0 when there is no such number. */
export function countField(data: Json, name: string): number {
  const value = field(data, name);
  return typeof value === 'number' ? value : 0;
}

/** Null: there is no such number. */
export function numberField(data: Json, name: string): number | null {
  const value = field(data, name);
  return typeof value === 'number' ? value : null;
}

/** Members of the list of that name; empty when there is none. */
export function objectsIn(data: Json, name: string): readonly Json[] {
  const value = field(data, name);
  // A list of JSON: its members are JSON.
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function field(data: Json, name: string): Json | undefined {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
  // An object of JSON: its members are JSON.
  return (data as { readonly [key: string]: Json | undefined })[name];
}
