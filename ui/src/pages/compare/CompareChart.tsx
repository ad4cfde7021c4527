// All curves over one another, and each minus the base: the lower panel is where differences are seen.
import { useMemo, useState } from 'react';
import type { Line, PanelData } from '../../charts/lines';
import { Panel } from '../../charts/Panel';
import { Swatch } from '../../charts/Swatch';
import type { XText } from '../../charts/options';
import { valueAt } from '../../figures/curves';
import { formatDifference } from '../../figures/numbers';
import type { noiseOf } from '../../figures/compare';
import { spellOut } from '../../figures/words';
import { formatOf, isLowerBetter } from '../../figures/series';
import type { ComparedRun } from './useCompared';

const GHOSTS = 8;
const TIP_ROWS = 10;

function lineOf(item: ComparedRun, trace: ComparedRun['trace'], isBase: boolean): Line {
  const { color, dash, opacity } = item.style;
  return { label: item.id, color, steps: trace.steps, values: trace.values, width: isBase ? 2 : 1.5, opacity, ...(dash ? { dash } : {}) };
}

/** What was not smoothed stays behind the lines, so that no spike is lost. */
function ghostsOf(runs: readonly ComparedRun[]): Line[] {
  if (runs.length > GHOSTS) return [];
  return runs.flatMap((item) => (item.points ? [{ label: `${item.id} raw`, color: item.style.color, steps: item.points.steps, values: item.points.max, width: 1, opacity: 0.22 }] : []));
}

function Tip({ runs, at, left, metric, xText }: { runs: readonly ComparedRun[]; at: number; left: number; metric: string; xText: XText }) {
  const format = formatOf(metric);
  const rows = runs
    .map((item) => ({ item, value: at <= (item.trace.steps.at(-1) ?? -1) ? valueAt(item.trace, at) : null }))
    .filter((row): row is { item: ComparedRun; value: number } => row.value !== null)
    .sort((a, b) => b.value - a.value);
  if (rows.length === 0) return null;
  return (
    <div className={`compare-tip only-wide ${left > 420 ? 'flipped' : ''}`} style={{ left }} aria-hidden>
      <div className="row tiny muted">
        <b>{xText.format(Math.round(at))}</b>
        <span className="push">{spellOut(metric)}</span>
      </div>
      {rows.slice(0, TIP_ROWS).map(({ item, value }) => (
        <div key={item.id} className="row tiny">
          <Swatch {...item.style} />
          <span className="clip">{item.run.name}</span>
          <b className="push num">{format(value)}</b>
        </div>
      ))}
      {rows.length > TIP_ROWS && <div className="tiny muted">{rows.length - TIP_ROWS} more</div>}
    </div>
  );
}

export function CompareChart({ runs, base, noise, metric, x, log, lifted, smoothing, xText, onZoom, onReset }: {
  runs: readonly ComparedRun[];
  base: ComparedRun | null;
  noise: ReturnType<typeof noiseOf>;
  metric: string;
  x: [number, number];
  log: boolean;
  lifted: string | null;
  smoothing: number;
  xText: XText;
  onZoom: (from: number, to: number) => void;
  onReset: () => void;
}) {
  const [cursor, setCursor] = useState<number | null>(null);
  const shared = { x, onZoom, onReset, xText, lifted, syncKey: 'compare', quiet: true };
  const upper = useMemo<PanelData>(() => ({ band: null, lines: [...runs.map((item) => lineOf(item, item.trace, item === base)), ...(smoothing ? ghostsOf(runs) : [])] }), [runs, base, smoothing]);
  const lower = useMemo<PanelData>(
    () => ({
      band: noise && { color: '--text3', steps: noise.steps, min: noise.half.map((half) => -half), max: noise.half },
      lines: runs.map((item) => lineOf(item, item.difference, item === base)),
    }),
    [runs, base, noise],
  );
  return (
    <>
      <Panel
        title={spellOut(metric)}
        note={smoothing ? `smoothed ${smoothing}` : 'not smoothed'}
        data={upper}
        height={300}
        withX
        log={log}
        format={formatOf(metric)}
        onCursor={setCursor}
        overlay={(position) => {
          const left = cursor === null ? null : position(cursor);
          return left === null || cursor === null ? null : <Tip runs={runs} at={cursor} left={left} metric={metric} xText={xText} />;
        }}
        {...shared}
      />
      {base && runs.length > 1 && (
        <Panel
          title={`Difference to ${base.run.name}`}
          note={[isLowerBetter(metric) ? 'below zero is better' : '', noise ? 'grey: two standard deviations of seeds' : ''].filter(Boolean).join('; ')}
          data={lower}
          height={190}
          withX
          format={(value) => formatDifference(value)}
          formatTick={(value) => (value === 0 ? '0' : formatDifference(value, Math.abs(value) < 0.01 ? 4 : Math.abs(value) < 1 ? 2 : 1))}
          {...shared}
        />
      )}
    </>
  );
}
