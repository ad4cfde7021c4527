// uPlot options of one panel. https://github.com/leeoniya/uPlot/tree/master/docs
import uPlot from 'uplot';
import { formatStep } from '../figures/numbers';
import { seriesOf, type Marker, type PanelData } from './lines';
import { color, faint } from './palette';
import { dragWithShift, listenToWheel, movedRange } from './pan';
import type { Scale } from './scale';

export const GUTTER = 44;
export const RIGHT = 14;
const FONT = '11px Inter, system-ui, sans-serif';

/** Steps between ticks of a time axis, in seconds. */
const SECONDS = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 604_800, 2_592_000];

/** How x is written, and whether it is seconds. */
export interface XText {
  format: (value: number) => string;
  seconds?: boolean;
}

export const STEPS: XText = { format: formatStep };

export interface PanelView {
  x: [number, number];
  scale: Scale | null;
  log: boolean;
  markers: Marker[];
  now: number | null;
}

export interface PanelHandlers {
  onZoom: (from: number, to: number) => void;
  onReset: () => void;
  onCursor: (step: number | null) => void;
}

function axes(format: (value: number) => string, withX: boolean, log: boolean, xText: XText): uPlot.Axis[] {
  const text = { stroke: color('--text3'), font: FONT, ticks: { show: false } };
  return [
    {
      ...text,
      show: withX,
      size: 24,
      grid: { show: false },
      space: 90,
      ...(xText.seconds ? { incrs: SECONDS } : {}),
      values: (_, ticks) => ticks.map((v) => (Number.isInteger(v) ? xText.format(v) : '')),
    },
    {
      ...text,
      size: GUTTER,
      gap: 6,
      space: log ? 20 : 26,
      grid: { stroke: color('--grid'), width: 1 },
      values: (_, ticks) => ticks.map((v) => (v === null ? '' : format(v))),
    },
  ];
}

/** Lines through all panels at each intervention, a band for the open one, and where the run is now. */
function drawMarks(u: uPlot, view: PanelView): void {
  const { ctx, bbox } = u;
  const dpr = window.devicePixelRatio || 1;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const marker of view.markers) {
    const x = Math.round(u.valToPos(marker.step, 'x', true));
    if (marker.open) {
      const [from, to] = [u.valToPos(marker.from, 'x', true), u.valToPos(marker.to, 'x', true)];
      ctx.fillStyle = faint(marker.color, 0.12);
      ctx.fillRect(from, bbox.top, Math.max(to - from, 3 * dpr), bbox.height);
    } else {
      ctx.fillStyle = faint(marker.color, 0.4);
      ctx.fillRect(x, bbox.top, dpr, bbox.height);
    }
  }
  if (view.now !== null) {
    ctx.fillStyle = faint('--text3', 0.4);
    ctx.fillRect(Math.round(u.valToPos(view.now, 'x', true)), bbox.top, dpr, bbox.height);
  }
  ctx.restore();
}

/** A chevron at the upper edge with the number that lies over it. */
function drawAbove(u: uPlot, above: Scale['above'], format: (value: number) => string): void {
  if (!above) return;
  const { ctx, bbox } = u;
  const dpr = window.devicePixelRatio || 1;
  const x = u.valToPos(above.step, 'x', true);
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  const y = bbox.top + 2 * dpr;
  ctx.save();
  ctx.strokeStyle = color('--text2');
  ctx.lineWidth = 1.5 * dpr;
  ctx.beginPath();
  ctx.moveTo(x - 4 * dpr, y + 5 * dpr);
  ctx.lineTo(x, y);
  ctx.lineTo(x + 4 * dpr, y + 5 * dpr);
  ctx.stroke();
  ctx.fillStyle = color('--text2');
  ctx.font = `500 ${11 * dpr}px Inter, system-ui, sans-serif`;
  ctx.textBaseline = 'top';
  const left = x > bbox.left + 60 * dpr;
  ctx.textAlign = left ? 'right' : 'left';
  ctx.fillText(format(above.value), x + (left ? -8 : 8) * dpr, y);
  ctx.restore();
}

export function panelOptions(input: {
  data: PanelData;
  width: number;
  height: number;
  withX: boolean;
  syncKey: string;
  format: (value: number) => string;
  formatTick: (value: number) => string;
  xText: XText;
  view: () => PanelView;
  handlers: () => PanelHandlers;
}): uPlot.Options {
  const { view, handlers, format } = input;
  const { series, bands } = seriesOf(input.data);
  return {
    width: input.width,
    height: input.height,
    padding: [8, RIGHT, input.withX ? 2 : 8, 0],
    legend: { show: false },
    series,
    bands,
    scales: {
      x: { time: false, range: () => movedRange(input.syncKey) ?? view().x },
      // without points there is no range yet, and a logarithm has no 0
      y: { distr: view().log ? 3 : 1, range: (_u, low, high) => view().scale?.range ?? [low ?? (view().log ? 0.1 : 0), high ?? 1] },
    },
    axes: axes(input.formatTick, input.withX, view().log, input.xText),
    focus: { alpha: 0.25 },
    cursor: {
      y: false,
      sync: { key: input.syncKey, setSeries: false },
      drag: { x: true, y: false, setScale: false, dist: 6 },
      points: { size: 6, width: 1.5, stroke: (u, i) => String((u.series[i]?.stroke as () => string)()), fill: () => color('--surface') },
      bind: {
        mousedown: (u, _target, handle) => (event) => (dragWithShift(u, input.syncKey, event, handlers().onZoom) ? null : handle(event)),
        dblclick: () => () => {
          handlers().onReset();
          return null;
        },
      },
    },
    hooks: {
      ready: [(u) => listenToWheel(u, input.syncKey, (from, to) => handlers().onZoom(from, to))],
      drawClear: [(u) => drawMarks(u, view())],
      draw: [(u) => drawAbove(u, view().scale?.above ?? null, format)],
      setCursor: [(u) => movedRange(input.syncKey) === null && handlers().onCursor(u.cursor.left !== undefined && u.cursor.left >= 0 ? u.posToVal(u.cursor.left, 'x') : null)],
      setSelect: [
        (u) => {
          if (u.select.width < 4) return;
          const [from, to] = [u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')];
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          handlers().onZoom(Math.max(0, Math.floor(from)), Math.ceil(to));
        },
      ],
    },
  };
}
