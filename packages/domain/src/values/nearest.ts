/** The known name nearest to a mistyped one, for "did you mean". */

/** At most a third of the letters may differ, else a suggestion would mislead. */
const DISTANCE_SHARE_MAX = 1 / 3;
const NAME_LENGTH_MAX = 100;

/** `nearestOf('prdo', ['dev', 'prod'])` → `'prod'`; null when nothing is near. */
export function nearestOf(name: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(
      name.slice(0, NAME_LENGTH_MAX).toLowerCase(),
      candidate.slice(0, NAME_LENGTH_MAX).toLowerCase(),
    );
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  const allowed = Math.max(1, Math.floor(Math.max(name.length, best?.length ?? 0) * DISTANCE_SHARE_MAX));
  return bestDistance <= allowed ? best : null;
}

/** Optimal string alignment: insertions, deletions, replacements and swaps of neighbours each count one. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((rows[i - 1]?.[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (rows[i - 1]?.[j - 1] ?? 0) + change);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) cost = Math.min(cost, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
