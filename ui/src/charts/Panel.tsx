// One panel of curves. All panels of a page share x, crosshair and zoom.
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { valueAt } from '../figures/curves';
import { formatFigure } from '../figures/numbers';
import './charts.css';
import { alignedData, shapeOf, type Marker, type PanelData } from './lines';
import { panelOptions, STEPS, type PanelHandlers, type PanelView, type XText } from './options';
import { scaleOf } from './scale';
import { Swatch } from './Swatch';

export interface PanelProps {
  title: string;
  note?: string | undefined;
  data: PanelData;
  x: [number, number];
  height: number;
  withX?: boolean;
  log?: boolean;
  fromZero?: boolean;
  markers?: Marker[];
  now?: number | null;
  format: (value: number | null) => string;
  formatTick?: (value: number) => string;
  /** Names of the lines; without it they show with the crosshair only. */
  legend?: boolean;
  onZoom: (from: number, to: number) => void;
  onReset: () => void;
  tools?: ReactNode;
  xText?: XText;
  /** Panels of one key share their crosshair. */
  syncKey?: string;
  /** Label of the line that stands out; the others step back. */
  lifted?: string | null;
  onCursor?: ((x: number | null) => void) | undefined;
  /** Without it the values at the crosshair stand in the head. */
  quiet?: boolean;
  /** Drawn over the plot; gets the x position of a step in pixels, or null when it is out of view. */
  overlay?: (position: (step: number) => number | null) => ReactNode;
}

function PanelHead({ title, note, data, cursor, format, tools, legend = false, quiet = false }: Pick<PanelProps, 'title' | 'note' | 'data' | 'format' | 'tools' | 'legend' | 'quiet'> & { cursor: number | null }) {
  const shown = quiet ? [] : data.lines.filter((line) => line.steps.length > 0);
  return (
    <div className="panel-head">
      <h3>{title}</h3>
      {note && <span className="tiny muted">{note}</span>}
      {shown.length > 1 &&
        (legend || cursor !== null) &&
        shown.map((line) => (
          <span key={line.label} className="legend tiny">
            <Swatch color={line.color} dash={line.dash} opacity={line.opacity ?? 1} />
            {line.label}
            {cursor !== null && <b className="num">{format(valueAt(line, cursor))}</b>}
          </span>
        ))}
      <span className="push">{tools}</span>
      {!quiet && <span className="panel-value num">{shown[0] && format(cursor === null ? (shown[0].values.at(-1) ?? null) : valueAt(shown[0], cursor))}</span>}
    </div>
  );
}

export function Panel(props: PanelProps) {
  const { data, x, log = false, fromZero = false, height, withX = false, format, lifted = null, xText = STEPS } = props;
  const { ref: box, width } = useElementSize();
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const { onCursor } = props;
  const take = useCallback(
    (at: number | null) => {
      setCursor(at);
      onCursor?.(at);
    },
    [onCursor],
  );
  const [, setDrawn] = useState(0);
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const scale = useMemo(() => scaleOf(data, x, log, fromZero), [data, x, log, fromZero]);
  const view = useRef<PanelView>({ x, scale, log, markers: [], now: null });
  const handlers = useRef<PanelHandlers>({ onZoom: props.onZoom, onReset: props.onReset, onCursor: take });
  useLayoutEffect(() => {
    view.current = { x, scale, log, markers: props.markers ?? [], now: props.now ?? null };
    handlers.current = { onZoom: props.onZoom, onReset: props.onReset, onCursor: take };
  }, [x, scale, log, props.markers, props.now, props.onZoom, props.onReset, take]);

  const shape = `${shapeOf(data)}${scheme}${log}${withX}${height}${xText.seconds ?? false}`;
  const ready = width > 0;
  useEffect(() => {
    if (!target.current || !ready) return;
    const built = new uPlot(
      panelOptions({
        data, width: target.current.clientWidth, height, withX, syncKey: props.syncKey ?? 'run', xText, format: (v) => format(v), formatTick: props.formatTick ?? formatFigure,
        view: () => view.current, handlers: () => handlers.current,
      }),
      alignedData(data),
      target.current,
    );
    plot.current = built;
    setDrawn((n) => n + 1);
    return () => {
      built.destroy();
      plot.current = null;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- data comes in by the next effect; only a new shape rebuilds
  }, [shape, ready]);

  useEffect(() => {
    const u = plot.current;
    if (!u || width === 0) return;
    if (u.width !== Math.floor(width)) u.setSize({ width: Math.floor(width), height });
    u.setData(alignedData(data), true);
    setDrawn((n) => n + 1);
  }, [data, x, width, height, scale, props.markers, props.now]);

  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    const line = lifted === null ? -1 : data.lines.findIndex((item) => item.label === lifted);
    if (line < 0) u.setSeries(null, { focus: false });
    else u.setSeries(1 + (data.band ? 2 : 0) + line, { focus: true });
  }, [lifted, data, shape]);

  const position = (step: number) => {
    const u = plot.current;
    if (!u || step < x[0] || step > x[1]) return null;
    return u.valToPos(step, 'x') + u.bbox.left / (window.devicePixelRatio || 1);
  };
  return (
    <section className="panel" aria-label={`${props.title}, chart`} data-points={data.lines[0]?.steps.length ?? 0}>
      <PanelHead title={props.title} note={props.note} data={data} cursor={cursor} format={format} tools={props.tools} legend={props.legend ?? false} quiet={props.quiet ?? false} />
      <div ref={box} className="panel-plot" style={{ minHeight: height }}>
        {/* eslint-disable-next-line react-hooks/refs -- uPlot owns the scale; a counter redraws after each change of it */}
        {props.overlay?.(position)}
        <div ref={target} />
      </div>
    </section>
  );
}
