export * from './docker-registry.ts';
export * from './oci-layout.ts';
