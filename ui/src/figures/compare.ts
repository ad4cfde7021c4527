// Many runs against one: slots, settings that differ, curves minus the base, seed noise, and what follows from it.
import type { Buckets } from './curves';

export const MAX_COMPARED = 50;

/** `a,,c`: a run keeps its slot when another one leaves. */
export function readSlots(text: string | undefined): string[] {
  return (text ?? '').split(',').slice(0, MAX_COMPARED).map((id) => id.trim());
}

export function writeSlots(slots: readonly string[]): string | undefined {
  return slots.join(',').replace(/,+$/, '') || undefined;
}

/** Into the first free slot; as it is when the run is there, or all slots are taken. */
export function withRun(slots: readonly string[], id: string): string[] {
  if (slots.includes(id)) return [...slots];
  const free = slots.indexOf('');
  if (free >= 0) return slots.map((old, i) => (i === free ? id : old));
  return slots.length < MAX_COMPARED ? [...slots, id] : [...slots];
}

export const withoutRun = (slots: readonly string[], id: string): string[] => slots.map((old) => (old === id ? '' : old));

const DASHES = [undefined, [7, 3], undefined, [10, 3, 2, 3], [4, 2], [2, 2.5], [5, 3], [1, 3]];

export interface SlotStyle {
  color: string;
  dash: number[] | undefined;
  opacity: number;
}

/** Colour and dash of a slot; from the ninth on graphite, faint. */
export function slotStyle(slot: number): SlotStyle {
  if (slot >= 8) return { color: '--s8', dash: undefined, opacity: 0.55 };
  return { color: `--s${slot + 1}`, dash: DASHES[slot], opacity: 1 };
}

/** Leaves of a spec by their dotted path; a list of plain values is one leaf. */
export function flattenSpec(value: unknown, path = ''): Map<string, string> {
  const found = new Map<string, string>();
  const nested = typeof value === 'object' && value !== null;
  if (!nested || (Array.isArray(value) && value.every((item) => typeof item !== 'object'))) {
    if (path) found.set(path, typeof value === 'string' ? value : JSON.stringify(value));
    return found;
  }
  for (const [key, item] of Object.entries(value)) for (const [inner, leaf] of flattenSpec(item, path ? `${path}.${key}` : key)) found.set(inner, leaf);
  return found;
}

const UNCOMPARED = new Set(['name']);

/** All keys by name, and those in which the specs differ. */
export function compareSpecs(specs: readonly Map<string, string>[]): { all: string[]; differing: string[] } {
  const all = [...new Set(specs.flatMap((spec) => [...spec.keys()]))].filter((key) => !UNCOMPARED.has(key)).sort();
  const differing = all.filter((key) => new Set(specs.map((spec) => spec.get(key))).size > 1);
  return { all, differing };
}

/** Do the specs differ in nothing but the seed? */
export function sameButSeed(a: Map<string, string>, b: Map<string, string>): boolean {
  return compareSpecs([a, b]).differing.every((key) => /(^|\.)seed$/.test(key));
}

export interface Trace {
  steps: number[];
  values: (number | null)[];
}

/** The value between two points, on a straight line; null outside. */
export function between(trace: Trace, x: number): number | null {
  const { steps, values } = trace;
  const last = steps.length - 1;
  if (last < 0 || x < (steps[0] ?? 0) || x > (steps[last] ?? 0)) return null;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((steps[middle] ?? 0) <= x) low = middle;
    else high = middle;
  }
  const [x0, x1, y0, y1] = [steps[low] ?? 0, steps[high] ?? 0, values[low] ?? null, values[high] ?? null];
  if (y0 === null || y1 === null) return x === x1 ? y1 : x === x0 ? y0 : null;
  return x1 > x0 ? y0 + ((x - x0) / (x1 - x0)) * (y1 - y0) : y1;
}

/** A curve minus the base, where both are known. */
export function subtract(curve: Trace, base: Trace): Trace {
  const found: Trace = { steps: [], values: [] };
  curve.steps.forEach((x, i) => {
    const [value, other] = [curve.values[i] ?? null, between(base, x)];
    if (value === null || other === null) return;
    found.steps.push(x);
    found.values.push(value - other);
  });
  return found;
}

const TAIL = 0.05;

/** The mean difference over the last twentieth of what both have; null where they share nothing. */
export function tailDifference(curve: Trace, base: Trace): number | null {
  const { steps, values } = subtract(curve, base);
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined) return null;
  const from = last - (last - first) * TAIL;
  const tail = values.filter((v, i): v is number => v !== null && (steps[i] ?? 0) >= from);
  return tail.reduce((sum, v) => sum + v, 0) / tail.length;
}

/** Two standard deviations over runs that differ in their seed alone, around the base; null for fewer than three. */
export function noiseOf(seeds: readonly Trace[], base: Trace): { steps: number[]; half: number[] } | null {
  if (seeds.length < 3) return null;
  const found = { steps: [] as number[], half: [] as number[] };
  for (const x of base.steps) {
    const values = seeds.map((seed) => between(seed, x)).filter((v): v is number => v !== null);
    if (values.length < 3) continue;
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1);
    found.steps.push(x);
    found.half.push(2 * Math.sqrt(variance));
  }
  return found.steps.length > 0 ? found : null;
}

/** Last value of a series over its branches: the newest one's. */
export function lastOf(branches: Buckets[]): number | null {
  return [...branches].sort((a, b) => a.branch - b.branch).at(-1)?.last.at(-1) ?? null;
}

export interface Compared {
  name: string;
  /** Mean difference at the end, in the metric's unit. */
  difference: number | null;
  /** Settings in which it differs from the base, without the seed. */
  changed: string[];
  sameButSeed: boolean;
}

export interface Claim {
  name: string;
  text: string;
}

const AT_MOST = 4;

/** At most four hedged sentences, the largest difference first. `noise`: two standard deviations over seeds, or null. */
export function sayClaims(runs: readonly Compared[], noise: number | null, lowerIsBetter: boolean, format: (value: number) => string): Claim[] {
  const known = runs.filter((run): run is Compared & { difference: number } => run.difference !== null && !run.sameButSeed);
  const ordered = [...known].sort((a, b) => Math.abs(b.difference) - Math.abs(a.difference));
  return ordered.slice(0, AT_MOST).map((run) => {
    const size = format(Math.abs(run.difference));
    const side = run.difference < 0 ? 'lower' : 'higher';
    const verdict = lowerIsBetter ? (run.difference < 0 ? 'looks better' : 'looks worse') : `is ${side}`;
    const several = run.changed.length > 1 ? ` ${run.changed.length} settings differ, so it is not told which one does it.` : '';
    if (noise === null) return { name: run.name, text: `ends ${size} ${side} than the base. The noise of seeds is not known here.${several}` };
    if (Math.abs(run.difference) <= noise) return { name: run.name, text: `is not told apart: ${size} ${side}, within the noise of seeds (\u00b1${format(noise)}).` };
    return { name: run.name, text: `${verdict} by ${size}, ${(Math.abs(run.difference) / noise).toFixed(1)} times the noise of seeds. It is one seed.${several}` };
  });
}
