/** Waits for something to become true, with a deadline and a name for what was missing. */
const POLL_MS = 20;

export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  { timeoutMs, why }: { readonly timeoutMs: number; readonly why: string },
): Promise<void> {
  const endsAtMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > endsAtMs) throw new Error(`not within ${timeoutMs} ms: ${why}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
