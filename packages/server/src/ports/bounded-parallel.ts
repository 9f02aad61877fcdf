/** Runs `work` for every item, at most `concurrency` at a time. The first error ends it after those that run. */
export async function forEachBounded<Item>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let isFailed = false;
  const takeTurns = async (): Promise<void> => {
    for (const item of queue) {
      if (isFailed) return;
      await work(item).catch((error: unknown) => {
        isFailed = true;
        throw error;
      });
    }
  };
  const workers = Array.from({ length: Math.min(concurrency, items.length) }, takeTurns);
  const failure = (await Promise.allSettled(workers)).find((one) => one.status === 'rejected');
  if (failure) throw failure.reason;
}
