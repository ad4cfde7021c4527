// How long a lost stream waits before it tries again.

/** Seconds before the n-th retry (from 1): 1, 2, 4, 8, 15, 15, ... with up to a quarter of jitter. */
export function retrySeconds(attempt: number, random: () => number = Math.random): number {
  const base = Math.min(15, 2 ** (attempt - 1));
  return base * (1 + random() * 0.25);
}
