// Health of layers over time, under the curves and on their x: blue dies, orange explodes.
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useQueries } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState, type PointerEvent } from 'react';
import { metricQuery, type StepRange } from '../../api/queries';
import { GUTTER, RIGHT } from '../../charts/options';
import { color, faint } from '../../charts/palette';
import { mergeBranches } from '../../figures/curves';
import { healthOf, layerKey, strengthOf, worstOf, type Health } from '../../figures/layers';
import { formatDifference, formatStep } from '../../figures/numbers';
import type { Place } from '../../figures/place';
import { spellOut } from '../../figures/words';

const COLUMNS = 160;
const MAX_ROW = 14;
const MAX_HEIGHT = 180;

interface Row {
  layer: number;
  cells: Health[];
}

const spellCell = (cell: { layer: number; step: number; z: number }): string => `layer ${cell.layer} at step ${formatStep(cell.step)}, ${formatDifference(cell.z, 1)} deviations from its own past`;

function useRows(runId: string, series: string, layers: readonly number[], range: StepRange): Row[] {
  const answers = useQueries({ queries: layers.map((layer) => metricQuery(runId, layerKey(series, layer), range, COLUMNS)) });
  const stamp = `${series} ${layers.join()} ${answers.map((answer) => answer.dataUpdatedAt).join()}`;
  return useMemo(
    () => layers.map((layer, i) => ({ layer, cells: healthOf(mergeBranches(answers[i]?.data ?? []).live) })),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the answers are new objects each time; `stamp` says when they changed
    [stamp],
  );
}

/** The cell whose column begins last before a place. */
function cellAt(row: Row | undefined, step: number): (Health & { layer: number }) | null {
  const cell = row?.cells.findLast((item) => item.step <= step);
  return row && cell ? { ...cell, layer: row.layer } : null;
}

export function LayerStrip({ runId, choices, x, range, place, onZoom }: {
  runId: string;
  choices: Map<string, number[]>;
  x: [number, number];
  range: StepRange;
  place: Place;
  onZoom: (from: number, to: number) => void;
}) {
  const names = [...choices.keys()];
  const [chosen, setChosen] = useState<string | null>(null);
  const series = chosen && choices.has(chosen) ? chosen : (names[0] ?? '');
  const layers = choices.get(series) ?? [];
  const rows = useRows(runId, series, layers, range);
  const [over, setOver] = useState<(Health & { layer: number }) | null>(null);
  const { ref, width } = useElementSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const rowHeight = Math.max(2, Math.min(MAX_ROW, Math.floor(MAX_HEIGHT / Math.max(1, rows.length))));
  const height = rowHeight * rows.length;
  const plot = Math.max(0, width - GUTTER - RIGHT);
  const scaleX = plot / (x[1] - x[0] || 1);

  useEffect(() => {
    const target = canvas.current;
    const ctx = target?.getContext('2d');
    if (!target || !ctx || plot === 0) return;
    const dpr = window.devicePixelRatio || 1;
    target.width = plot * dpr;
    target.height = height * dpr;
    ctx.scale(dpr, dpr);
    // the last layer on top, as a stack is drawn
    [...rows].reverse().forEach((row, line) => {
      row.cells.forEach((cell, i) => {
        const left = (place.at(cell.step) - x[0]) * scaleX;
        const next = row.cells[i + 1]?.step ?? cell.step + (cell.step - (row.cells[i - 1]?.step ?? cell.step));
        const wide = Math.max(1, (place.at(next) - x[0]) * scaleX - left - 0.5);
        const strength = strengthOf(cell.z);
        ctx.fillStyle = strength === 0 ? color('--sunken') : faint((cell.z ?? 0) < 0 ? '--s1' : '--harmful', strength);
        ctx.fillRect(left, line * rowHeight, wide, Math.max(1, rowHeight - 1));
      });
    });
  }, [rows, plot, height, rowHeight, scaleX, x, place, scheme]);

  const point = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    const row = rows[rows.length - 1 - Math.floor((event.clientY - box.top) / rowHeight)];
    setOver(cellAt(row, place.back(x[0] + (event.clientX - box.left) / (scaleX || 1))));
  };
  const worst = worstOf(rows);
  const told = over?.z != null ? spellCell({ ...over, z: over.z }) : worst && strengthOf(worst.z) > 0 ? `most: ${spellCell(worst)}` : 'all near their own past';
  return (
    <section className="layer-strip" aria-label="Layer health">
      <div className="panel-head">
        <h3>Layer health</h3>
        <select className="strip-select tiny" aria-label="Figure by layer" value={series} onChange={(event) => setChosen(event.target.value)}>
          {names.map((name) => (
            <option key={name} value={name}>
              {spellOut(name)}
            </option>
          ))}
        </select>
        <span className="tiny muted clip" role="status">
          {told}
        </span>
        <span className="push tiny muted row only-wide">
          dead <span className="strip-scale" aria-hidden /> exploding
        </span>
      </div>
      <div ref={ref} className="strip-body" style={{ height, paddingLeft: GUTTER, paddingRight: RIGHT }}>
        <span className="strip-name tiny muted num" style={{ top: 0 }}>
          L{layers.at(-1)}
        </span>
        <span className="strip-name tiny muted num" style={{ bottom: 0 }}>
          L{layers[0]}
        </span>
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Layer health by ${spellOut(series).toLowerCase()}: ${worst && strengthOf(worst.z) > 0 ? spellCell(worst) : 'all layers near their own past'}`}
          style={{ width: plot, height }}
          onPointerMove={point}
          onPointerLeave={() => setOver(null)}
          onClick={() => over && onZoom(Math.max(0, Math.floor(place.at(over.step - 40))), Math.ceil(place.at(over.step + 60)))}
        />
      </div>
    </section>
  );
}
