// What lies along x: steps, tokens, FLOPs or time, all by one map from a step of a branch.
import type { Buckets } from './curves';

export const X_KINDS = ['step', 'tokens', 'flops', 'time'] as const;
export type XKind = (typeof X_KINDS)[number];

/** The series that tells where steps lie: one that only grows, or any for its times. */
export const mapSeries = (kind: XKind): string => (kind === 'flops' ? 'flops' : 'tokens');

/** A series with the time of each bucket's first point. */
export type TimedBuckets = Buckets & { times?: (number | null)[] };

export interface Place {
  kind: XKind;
  /** Where a step of a branch lies; without a branch: of the live line. */
  at: (step: number, branch?: number) => number;
  /** The step of the live line at a place. */
  back: (x: number) => number;
}

type Knot = readonly [step: number, x: number];

export const BY_STEP: Place = { kind: 'step', at: (step) => step, back: (x) => x };

/** Between knots on a straight line, beyond them by the mean slope. */
function interpolate(knots: readonly Knot[], from: 0 | 1, value: number): number {
  const to = from === 0 ? 1 : 0;
  const [first, last] = [knots[0], knots.at(-1)];
  if (!first || !last) return value;
  const run = last[from] - first[from];
  const slope = run > 0 ? (last[to] - first[to]) / run : 0;
  if (value <= first[from]) return first[to] - (first[from] - value) * slope;
  if (value >= last[from]) return last[to] + (value - last[from]) * slope;
  let low = 0;
  let high = knots.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((knots[middle]?.[from] ?? 0) <= value) low = middle;
    else high = middle;
  }
  const [a, b] = [knots[low] ?? first, knots[high] ?? last];
  const share = b[from] > a[from] ? (value - a[from]) / (b[from] - a[from]) : 0;
  return a[to] + share * (b[to] - a[to]);
}

function knotsOf(kind: XKind, branch: TimedBuckets, start: number): Knot[] {
  return branch.steps.flatMap((step, i): Knot[] => {
    // of a series that only grows the smallest value is that of the first step
    const value = kind === 'time' ? branch.times?.[i] : branch.min[i];
    return value === null || value === undefined ? [] : [[step, value - start]];
  });
}

/** The map along `kind`, from the branches of its series (`mapSeries`); null where it cannot be told. */
export function placeOf(kind: XKind, growing: TimedBuckets[] | undefined): Place | null {
  if (kind === 'step') return BY_STEP;
  const ordered = [...(growing ?? [])].sort((a, b) => a.branch - b.branch);
  const times = ordered.flatMap((branch) => branch.times ?? []).filter((time): time is number => time !== null);
  const start = kind === 'time' ? Math.min(...times) : 0;
  const branches = new Map<number, Knot[]>();
  for (const branch of ordered) {
    const knots = knotsOf(kind, branch, start);
    if (knots.length > 0) branches.set(branch.branch, knots);
  }
  if (branches.size === 0) return null;
  const lists = [...branches.values()];
  const live = lists.flatMap((knots, i) => {
    const fork = Math.min(Infinity, ...lists.slice(i + 1).map((later) => later[0]?.[0] ?? Infinity));
    return knots.filter(([step]) => step < fork);
  });
  return {
    kind,
    at: (step, branch) => Math.max(0, interpolate((branch === undefined ? undefined : branches.get(branch)) ?? live, 0, step)),
    back: (x) => Math.max(0, interpolate(live, 1, x)),
  };
}
