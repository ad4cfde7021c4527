// The y range of a panel: robust, but never silently cut.
import { robustRange } from '../figures/curves';
import type { PanelData } from './lines';

export interface Scale {
  range: [number, number];
  /** The largest value in view that lies over the range. */
  above: { step: number; value: number } | null;
}

const inView = (step: number, x: [number, number]) => step >= x[0] && step <= x[1];

function gather(data: PanelData, x: [number, number]): { steps: number[]; values: number[] } {
  const steps: number[] = [];
  const values: number[] = [];
  const take = (step: number, value: number | null | undefined) => {
    if (value === null || value === undefined || !Number.isFinite(value) || !inView(step, x)) return;
    steps.push(step);
    values.push(value);
  };
  data.band?.steps.forEach((step, i) => {
    take(step, data.band?.min[i]);
    take(step, data.band?.max[i]);
  });
  for (const line of data.lines) line.steps.forEach((step, i) => take(step, line.values[i]));
  return { steps, values };
}

/** Up to here values are those of the warm-up: a tenth of what is there, when the view begins at 0. */
function warmUpEnd(steps: number[], x: [number, number]): number {
  return x[0] > 0 ? x[0] : Math.max(0, ...steps) * 0.1;
}

/** How many times the settled range the whole one may be. */
const FLAT = 1.8;

/** The whole range, unless its few largest values would press the rest flat. */
export function scaleOf(data: PanelData, x: [number, number], log: boolean, fromZero: boolean): Scale | null {
  const { steps, values } = gather(data, x);
  const warm = warmUpEnd(steps, x);
  const settled = values.filter((_, i) => (steps[i] ?? 0) >= warm);
  const robust = robustRange(settled.length > 4 ? settled : values);
  if (!robust) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (log) {
    const positive = values.filter((v) => v > 0);
    const floor = positive.length ? Math.min(...positive) : 1e-3;
    return { range: [floor / 1.3, Math.max(high, floor) * 1.3], above: null };
  }
  const span = robust[1] - robust[0];
  const flat = high - low > FLAT * span;
  const top = flat ? robust[1] : high + (high - low || Math.abs(high) || 1) * 0.06;
  const bottom = fromZero ? 0 : flat ? Math.max(robust[0], low - span * 0.05) : low - (high - low || Math.abs(low) || 1) * 0.06;
  let above: Scale['above'] = null;
  values.forEach((value, i) => {
    const step = steps[i] ?? 0;
    if (value > top && step >= warm && (!above || value > above.value)) above = { step, value };
  });
  return { range: [bottom, top], above };
}
