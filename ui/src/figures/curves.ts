// From the API's buckets to what a chart draws: one live line through all branches, and what was rolled back.
export interface Buckets {
  branch: number;
  bucket_steps: number;
  steps: number[];
  min: (number | null)[];
  max: (number | null)[];
  mean: (number | null)[];
  last: (number | null)[];
}

export interface Points {
  steps: number[];
  min: (number | null)[];
  max: (number | null)[];
  mean: (number | null)[];
}

export interface Curve {
  live: Points;
  /** One entry a rolled-back branch, from its fork on, in the order of branches. */
  abandoned: (Points & { branch: number; fork: number })[];
}

const none = (): Points => ({ steps: [], min: [], max: [], mean: [] });

function push(to: Points, from: Buckets, i: number, x: number): void {
  to.steps.push(x);
  to.min.push(from.min[i] ?? null);
  to.max.push(from.max[i] ?? null);
  to.mean.push(from.mean[i] ?? null);
}

/**
 * A later branch takes over from its first step on; what an earlier one had from there is abandoned.
 * `at` says where a step of a branch lies along x.
 */
export function mergeBranches(branches: Buckets[], at: (step: number, branch: number) => number = (step) => step): Curve {
  const ordered = [...branches].filter((b) => b.steps.length > 0).sort((a, b) => a.branch - b.branch);
  const curve: Curve = { live: none(), abandoned: [] };
  ordered.forEach((branch, index) => {
    const fork = Math.min(Infinity, ...ordered.slice(index + 1).map((later) => later.steps[0] ?? Infinity));
    const rest = none();
    branch.steps.forEach((step, i) => push(step < fork ? curve.live : rest, branch, i, at(step, branch.branch)));
    if (rest.steps.length > 0) curve.abandoned.push({ ...rest, branch: branch.branch, fork });
  });
  return curve;
}

/** Lay several lines on one shared, sorted x. Where a line has no point it is `undefined` (uPlot: no gap). */
export function alignLines(lines: { steps: number[]; values: (number | null)[] }[]): [number[], (number | null | undefined)[][]] {
  const steps = [...new Set(lines.flatMap((line) => line.steps))].sort((a, b) => a - b);
  const at = new Map(steps.map((step, i) => [step, i]));
  const columns = lines.map((line) => {
    const column = new Array<number | null | undefined>(steps.length).fill(undefined);
    line.steps.forEach((step, i) => (column[at.get(step) ?? 0] = line.values[i] ?? null));
    return column;
  });
  return [steps, columns];
}

/** Exponential moving average over time, blind to gaps; strength in [0, 1). */
export function smooth(values: (number | null)[], strength: number): (number | null)[] {
  let average = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null) return null;
    average = strength * average + (1 - strength) * value;
    weight = strength * weight + (1 - strength);
    return average / weight;
  });
}

/** A range that ignores the outer 0.2 % on each side, with a margin. */
export function robustRange(values: (number | null)[]): [number, number] | null {
  const finite = values.filter((v): v is number => v !== null && Number.isFinite(v));
  if (finite.length === 0) return null;
  const sorted = [...finite].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.round(q * (sorted.length - 1))] ?? 0;
  const [low, high] = [at(0.002), at(0.998)];
  const margin = (high - low || Math.abs(high) || 1) * 0.08;
  return [low - margin, high + margin];
}

/** The value at the last step not after `step`; null before the first. */
export function valueAt(points: { steps: number[]; values: (number | null)[] }, step: number): number | null {
  let low = 0;
  let high = points.steps.length - 1;
  let found: number | null = null;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if ((points.steps[middle] ?? 0) <= step) {
      found = points.values[middle] ?? null;
      low = middle + 1;
    } else high = middle - 1;
  }
  return found;
}
