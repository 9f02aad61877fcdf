export * from './oci-layout.ts';
