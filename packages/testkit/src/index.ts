export * from './docker-registry.ts';
export * from './fixtures.ts';
export * from './oci-layout.ts';
export * from './seeded-ids.ts';
export * from './server/server-process.ts';
export * from './simulation/simulate.ts';
export * from './simulation/stage.ts';
export * from './wait-for.ts';
