// What a panel shows, and how it becomes uPlot's aligned data.
import type uPlot from 'uplot';
import { alignLines } from '../figures/curves';
import { color, faint } from './palette';

export interface Line {
  label: string;
  /** Name of a CSS variable. */
  color: string;
  steps: number[];
  values: (number | null)[];
  width?: number;
  dash?: number[];
  opacity?: number;
  points?: boolean;
}

export interface Band {
  color: string;
  steps: number[];
  min: (number | null)[];
  max: (number | null)[];
}

export interface Marker {
  id: string;
  step: number;
  /** Name of a CSS variable. */
  color: string;
  open: boolean;
  /** Range that the open marker shades: checkpoint to recovery. */
  from: number;
  to: number;
}

export interface PanelData {
  band: Band | null;
  lines: Line[];
}

/** x, then the band's lower and upper edge (if there is one), then the lines. */
export function alignedData(data: PanelData): uPlot.AlignedData {
  const edges = data.band ? [data.band.min, data.band.max].map((values) => ({ steps: data.band?.steps ?? [], values })) : [];
  const [steps, columns] = alignLines([...edges, ...data.lines]);
  return [steps, ...columns] as uPlot.AlignedData;
}

/** Series and bands in the order of `alignedData`. */
export function seriesOf(data: PanelData): { series: uPlot.Series[]; bands: uPlot.Band[] } {
  const series: uPlot.Series[] = [{}];
  if (data.band) series.push({ width: 0, points: { show: false } }, { width: 0, points: { show: false } });
  for (const line of data.lines)
    series.push({
      label: line.label,
      stroke: faint(line.color, line.opacity ?? 1),
      width: line.width ?? 1.5,
      ...(line.dash ? { dash: line.dash } : {}),
      points: { show: line.points ?? false, size: 5, fill: color('--surface'), stroke: color(line.color) },
    });
  const bands = data.band ? [{ series: [2, 1] as [number, number], fill: faint(data.band.color, 0.22) }] : [];
  return { series, bands };
}

/** What must stay for a plot to be updated in place rather than built anew. */
export function shapeOf(data: PanelData): string {
  return [data.band?.color ?? '', ...data.lines.map((l) => `${l.label}${l.color}${l.dash?.join() ?? ''}`)].join('|');
}
