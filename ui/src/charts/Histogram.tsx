// A histogram with a threshold that can be dragged, typed (by its owner) and moved with the arrow keys.
import { useElementSize } from '@mantine/hooks';
import { useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { axisOf, roundTo, ticksOf, type Axis } from '../figures/axis';
import type { Histogram as Bins } from '../figures/histograms';
import { formatCount, formatFigure } from '../figures/numbers';
import { pressed } from '../figures/press';
import './histogram.css';

const LEFT = 44;
const RIGHT = 12;
const TOP = 34;
const BOTTOM = 22;
const NEAR_PX = 5;

interface Props {
  bins: Bins;
  /** The threshold being tried; null: off. */
  value: number | null;
  /** Heights by the logarithm, so that a thin tail is seen. */
  log: boolean;
  height: number;
  label: string;
  onChange: (value: number) => void;
}

interface Bar {
  from: number;
  to: number;
  height: number;
  documents: number;
}

/** Bars on the unit square: a bin that a threshold cuts in two is drawn as high as if it were whole. */
function barsOf(bins: Bins, axis: Axis, log: boolean): { bars: Bar[]; most: number } {
  const places = bins.edges.map(axis.place);
  const widths = bins.documents.map((_, i) => (places[i + 1] ?? 0) - (places[i] ?? 0));
  const usual = [...widths].sort((a, b) => a - b)[widths.length >> 1] ?? 1;
  const heights = bins.documents.map((count, i) => count * Math.max(1, usual / Math.max(widths[i] ?? 1, usual / 8)));
  const most = Math.max(1, ...heights);
  const scale = (count: number) => (log ? Math.log1p(count) / Math.log1p(most) : count / most);
  const bars = heights.map((count, i) => ({ from: places[i] ?? 0, to: places[i + 1] ?? 0, height: scale(count), documents: bins.documents[i] ?? 0 }));
  return { bars, most };
}

/** Rounded to what a pixel can tell, and caught by the threshold in force and by edges close by. */
function settle(place: number, width: number, axis: Axis, bins: Bins): number {
  const caught = [bins.threshold, ...bins.edges].find((edge) => edge !== null && edge !== undefined && Math.abs(axis.place(edge) - place) * width <= NEAR_PX);
  if (caught !== undefined && caught !== null) return caught;
  const value = axis.value(place);
  return roundTo(value, Math.abs(axis.value(place + 1 / width) - value) || axis.press, bins.edges.every(Number.isInteger));
}

function Axes({ axis, width, height, most, log }: { axis: Axis; width: number; height: number; most: number; log: boolean }) {
  const x = (value: number) => LEFT + axis.place(value) * width;
  const rises = log ? [1, 10, 100, 1e3, 1e4, 1e5, 1e6].filter((n) => n <= most) : ticksOf(axisOf([0, most]), 3);
  const y = (count: number) => TOP + height * (1 - (log ? Math.log1p(count) / Math.log1p(most) : count / most));
  return (
    <g className="histogram-axes">
      {rises.map((count) => (
        <g key={count}>
          <line x1={LEFT} x2={LEFT + width} y1={y(count)} y2={y(count)} />
          <text x={LEFT - 8} y={y(count) + 4} textAnchor="end">
            {formatCount(count)}
          </text>
        </g>
      ))}
      {ticksOf(axis, Math.max(3, Math.floor(width / 90))).map((value) => (
        <text key={value} x={x(value)} y={TOP + height + 16} textAnchor="middle">
          {formatFigure(value)}
        </text>
      ))}
    </g>
  );
}

export function Histogram({ bins, value, log, height, label, onChange }: Props) {
  const { ref, width: full } = useElementSize();
  const frame = useRef<SVGSVGElement>(null);
  const width = Math.max(60, full - LEFT - RIGHT);
  const inner = height - TOP - BOTTOM;
  const axis = axisOf(bins.edges);
  const { bars, most } = barsOf(bins, axis, log);
  const at = value === null ? null : axis.place(value);
  const whole = bins.edges.every(Number.isInteger);
  const dropsLeft = bins.bound === 'min';

  const follow = (event: PointerEvent) => {
    const box = frame.current?.getBoundingClientRect();
    if (box) onChange(settle(Math.min(1, Math.max(0, (event.clientX - box.left - LEFT) / width)), width, axis, bins));
  };
  const key = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const next = pressed(event.key, event.shiftKey, value ?? bins.threshold ?? (axis.from + axis.to) / 2, axis, whole);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    onChange(next);
  };
  const x = (place: number) => LEFT + place * width;
  const mid = (from: number, to: number) => x(from + (to - from) / 2);
  const force = bins.threshold;
  const handle = at === null ? x(dropsLeft ? 0 : 1) : x(at);
  return (
    <div ref={ref} className="histogram" style={{ height }}>
      {full > 0 && (
        <svg
          ref={frame}
          width={full}
          height={height}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            event.currentTarget.setPointerCapture(event.pointerId);
            frame.current?.querySelector<SVGGElement>('.histogram-handle')?.focus();
            follow(event);
          }}
          onPointerMove={(event) => event.currentTarget.hasPointerCapture(event.pointerId) && follow(event)}
        >
          <Axes axis={axis} width={width} height={inner} most={most} log={log} />
          {bars.map((bar, i) => (
            <BarShape key={i} bar={bar} at={at} dropsLeft={dropsLeft} x={x} base={TOP + inner} height={inner} />
          ))}
          <line className="histogram-base" x1={LEFT} x2={LEFT + width} y1={TOP + inner} y2={TOP + inner} />
          {force !== null && (
            <g className="histogram-force">
              <line x1={x(axis.place(force))} x2={x(axis.place(force))} y1={TOP - 8} y2={TOP + inner} />
              {value !== force && (
                <text x={x(axis.place(force)) + (axis.place(force) > 0.8 ? -6 : 6)} y={TOP} textAnchor={axis.place(force) > 0.8 ? 'end' : 'start'}>
                  now {formatFigure(force)}
                </text>
              )}
            </g>
          )}
          {at !== null && (
            <>
              {mid(0, at) - LEFT > 46 && (
                <text className={`histogram-side ${dropsLeft ? 'is-dropped' : 'is-kept'}`} x={LEFT + 6} y={TOP - 14}>
                  {dropsLeft ? '\u2190 dropped' : '\u2190 kept'}
                </text>
              )}
              {LEFT + width - handle > 90 && (
                <text className={`histogram-side ${dropsLeft ? 'is-kept' : 'is-dropped'}`} x={LEFT + width} y={TOP - 14} textAnchor="end">
                  {dropsLeft ? 'kept \u2192' : 'dropped \u2192'}
                </text>
              )}
            </>
          )}
          <g
            className="histogram-handle"
            role="slider"
            tabIndex={0}
            aria-label={label}
            aria-valuemin={axis.from}
            aria-valuemax={axis.to}
            aria-valuenow={value ?? undefined}
            aria-valuetext={value === null ? 'off' : formatFigure(value)}
            aria-orientation="horizontal"
            onKeyDown={key}
            transform={`translate(${handle} 0)`}
            opacity={value === null ? 0.45 : 1}
          >
            <line y1={TOP - 10} y2={TOP + inner} />
            <rect className="histogram-grip" x={-6} y={TOP + inner / 2 - 11} width={12} height={22} rx={3} />
            <path d={`M-1.5 ${TOP + inner / 2 - 4}v8M1.5 ${TOP + inner / 2 - 4}v8`} />
            <Chip text={value === null ? 'off' : formatFigure(value)} shift={Math.min(0, LEFT + width - handle - 20) + Math.max(0, 26 - handle)} />
          </g>
        </svg>
      )}
    </div>
  );
}

function Chip({ text, shift }: { text: string; shift: number }) {
  const width = Math.max(34, text.length * 7.2 + 12);
  return (
    <g className="histogram-chip" transform={`translate(${shift} 0)`}>
      <rect x={-width / 2} y={2} width={width} height={18} rx={4} />
      <text textAnchor="middle" y={15}>
        {text}
      </text>
    </g>
  );
}

/** A bar in two colours where the threshold cuts it; light and dark differ too, and the sides are named above. */
function BarShape({ bar, at, dropsLeft, x, base, height }: { bar: Bar; at: number | null; dropsLeft: boolean; x: (place: number) => number; base: number; height: number }) {
  if (bar.documents === 0) return null;
  const tall = Math.max(1, bar.height * height);
  const cut = at === null ? (dropsLeft ? bar.from : bar.to) : Math.min(bar.to, Math.max(bar.from, at));
  const gap = x(bar.to) - x(bar.from) > 3 ? 0.5 : 0;
  const part = (from: number, to: number, dropped: boolean) =>
    to > from && <rect className={dropped ? 'dropped' : 'kept'} x={x(from) + gap} y={base - tall} width={Math.max(0.5, x(to) - x(from) - 2 * gap)} height={tall} />;
  return (
    <>
      {part(bar.from, cut, dropsLeft)}
      {part(cut, bar.to, !dropsLeft)}
    </>
  );
}
