/** What the command line needs of the contract: no schema library is loaded with it. */
export * from './client.ts';
export * from './routes.ts';
export type { Answer, BodyInput, QueryInput } from './route-schemas.ts';
