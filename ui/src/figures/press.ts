// What a key does to a threshold: a hundredth of the axis, ten times as much with Shift.
import { roundTo, type Axis } from './axis';

/** The value after a key, or null for a key that means nothing here. */
export function pressed(key: string, shift: boolean, value: number, axis: Axis, whole: boolean): number | null {
  const signs: Record<string, number> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
  if (key === 'Home') return axis.from;
  if (key === 'End') return axis.to;
  const sign = signs[key];
  if (sign === undefined) return null;
  const by = sign * (shift ? 10 : 1) * axis.press;
  const raw = axis.value(axis.place(value) + by);
  const next = roundTo(raw, Math.abs(raw - value) / 10, whole);
  const moved = whole && next === value ? value + Math.sign(by) : next;
  return Math.min(axis.to, Math.max(axis.from, moved));
}
