// The axis of a histogram: linear, or logarithmic where the bins grow.
export interface Axis {
  from: number;
  to: number;
  log: boolean;
  /** Place of a value in [0, 1]. */
  place: (value: number) => number;
  /** The value at a place. */
  value: (place: number) => number;
  /** What one press of an arrow key moves, in places. */
  press: number;
}

export function axisOf(edges: readonly number[]): Axis {
  const [from, to] = [edges[0] ?? 0, edges.at(-1) ?? 1];
  const widths = edges.slice(1).map((edge, i) => edge - (edges[i] ?? 0));
  const usual = [...widths].sort((a, b) => a - b)[widths.length >> 1] ?? 0;
  const log = widths.length > 3 && (to - from) / widths.length > 4 * usual;
  // scaled by the finest bin, so that the low end stays apart
  const unit = log ? Math.min(...widths.filter((width) => width > 0)) : 1;
  const bend = (value: number) => (log ? Math.log1p((value - from) / unit) : value - from);
  const whole = bend(to) || 1;
  return {
    from,
    to,
    log,
    place: (value) => Math.min(1, Math.max(0, bend(Math.min(to, Math.max(from, value))) / whole)),
    value: (place) => from + (log ? Math.expm1(Math.min(1, Math.max(0, place)) * whole) * unit : Math.min(1, Math.max(0, place)) * whole),
    press: 1 / 100,
  };
}

/** A number with as many digits as the range around it can show: `0.6134` -> `0.613`, whole where all edges are whole. */
export function roundTo(value: number, step: number, whole: boolean): number {
  if (whole) return Math.round(value);
  const digits = Math.min(12, Math.max(0, Math.ceil(-Math.log10(step || 1))));
  return Number(value.toFixed(digits));
}

/** About `count` round numbers between the ends. */
export function ticksOf(axis: Axis, count: number): number[] {
  if (axis.log) {
    const all = [axis.from];
    for (let power = -6; power < 13; power++)
      for (const lead of [1, 2, 5]) {
        const value = lead * 10 ** power;
        if (value > axis.from && value <= axis.to) all.push(value);
      }
    const kept: number[] = [];
    for (const value of all.reverse()) if (!kept.length || axis.place(kept.at(-1) ?? 0) - axis.place(value) >= 0.8 / count) kept.push(value);
    return kept.reverse();
  }
  const raw = (axis.to - axis.from) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw || 1));
  const step = power * ([1, 2, 5, 10].find((lead) => lead * power >= raw) ?? 10);
  const first = Math.ceil(axis.from / step - 1e-9);
  const ticks: number[] = [];
  for (let i = first; i * step <= axis.to + step * 1e-9 && ticks.length < 40; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}
