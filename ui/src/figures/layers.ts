// Health of layers: each layer's figure against its own recent past.
import type { Buckets } from './curves';

/** What can be shown by layer, the most telling first. */
const ORDER = ['update_ratio', 'grad_norm', 'weight_norm', 'activation_rms', 'max_attention_logit'];

/** Series by layer: `layers/05/grad_norm` -> grad_norm of layer 5. In the order in which they tell most. */
export function layerSeries(keys: readonly string[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const key of keys) {
    const match = /^layers\/(\d+)\/(.+)$/.exec(key);
    if (match?.[2]) found.set(match[2], [...(found.get(match[2]) ?? []), Number(match[1])]);
  }
  const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return new Map([...found].sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b)).map(([name, layers]) => [name, layers.sort((a, b) => a - b)]));
}

export const layerKey = (series: string, layer: number): string => `layers/${String(layer).padStart(2, '0')}/${series}`;

export interface Health {
  step: number;
  /** Robust z of the worst value of the column; null before there is a past. */
  z: number | null;
}

const PAST = 40;
const LEAST = 6;
/** A change of less than 4 % is no change, however still the past was. */
const FLOOR = 0.04;

const middle = (sorted: readonly number[]): number => sorted[sorted.length >> 1] ?? 0;

/** In logarithms, since these figures are positive and change by factors. */
export function healthOf(buckets: Pick<Buckets, 'steps' | 'min' | 'max' | 'mean'>): Health[] {
  const past: number[] = [];
  return buckets.steps.map((step, i): Health => {
    const log = (value: number | null | undefined) => (value !== null && value !== undefined && value > 0 ? Math.log(value) : null);
    const [low, high, mean] = [log(buckets.min[i]), log(buckets.max[i]), log(buckets.mean[i])];
    let z: number | null = null;
    if (past.length >= LEAST && low !== null && high !== null) {
      const sorted = [...past].sort((a, b) => a - b);
      const level = middle(sorted);
      const spread = 1.4826 * middle(sorted.map((v) => Math.abs(v - level)).sort((a, b) => a - b)) + FLOOR;
      const [up, down] = [(high - level) / spread, (low - level) / spread];
      z = Math.abs(up) >= Math.abs(down) ? up : down;
    }
    if (mean !== null) past.push(mean);
    if (past.length > PAST) past.shift();
    return { step, z };
  });
}

/** The cell that stands out most; null where all is calm. */
export function worstOf(rows: readonly { layer: number; cells: readonly Health[] }[]): { layer: number; step: number; z: number } | null {
  let worst: { layer: number; step: number; z: number } | null = null;
  for (const { layer, cells } of rows) for (const { step, z } of cells) if (z !== null && Math.abs(z) > Math.abs(worst?.z ?? 0)) worst = { layer, step, z };
  return worst;
}

const CALM = 3;
const CLAMP = 12;

/** Opacity of a cell's colour in [0, 1]: nothing while calm, all from `CLAMP` on. */
export function strengthOf(z: number | null): number {
  if (z === null || Math.abs(z) < CALM) return 0;
  return Math.min(1, 0.18 + (0.82 * (Math.abs(z) - CALM)) / (CLAMP - CALM));
}
