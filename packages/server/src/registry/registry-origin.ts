/** Scheme and host of a registry: plain HTTP on loopback, TLS everywhere else. */
const LOOPBACK = /^(?:localhost|127\.[0-9.]+|\[::1\])(?::[0-9]+)?$/;

/** `localhost:5000` → `http://localhost:5000`, `registry.example` → `https://registry.example`. */
export function registryOrigin(registry: string): string {
  return `${LOOPBACK.test(registry) ? 'http' : 'https'}://${registry}`;
}
