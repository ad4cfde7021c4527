// The panels: loss, gradient norm, learning rate, or whatever series a run has.
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { metricQuery, type InterventionRecord, type Run, type StepRange } from '../../api/queries';
import type { Schemas } from '../../api/client';
import type { Marker } from '../../charts/lines';
import { LivePill } from '../../components/live';
import { Segmented } from '../../components/Segmented';
import { DEFAULT_SMOOTHING, Smoothing } from '../../components/Smoothing';
import { isTerminal, OutcomeGlyph, OUTCOMES, type Outcome } from '../../components/state';
import { layerSeries } from '../../figures/layers';
import { formatStep } from '../../figures/numbers';
import { BY_STEP, mapSeries, placeOf, X_KINDS, type Place } from '../../figures/place';
import { X_NAMES, xTextOf } from '../../figures/xText';
import { LayerStrip } from './LayerStrip';
import { LossPanel } from './LossPanel';
import { BUCKETS, SeriesPanel } from './SeriesPanel';
import { PointsTable } from './PointsTable';
import { panelsOf, plannedEnd } from './panels';

const COLORS: Record<Outcome, string> = { recovered: '--helped', not_recovered: '--harmful', no_checkpoint: '--harmless', verifying: '--verifying', proposed: '--verifying', rejected: '--harmless', done: '--harmless', refused: '--harmless' };

function markersOf(interventions: InterventionRecord[], openId: string | undefined, place: Place): Marker[] {
  return interventions.map((item) => ({
    id: item.id,
    step: place.at(item.step),
    color: COLORS[item.outcome ?? 'verifying'],
    open: item.id === openId,
    from: place.at(item.step - (item.cost_steps ?? 0)),
    to: place.at(item.outcome_step ?? item.step),
  }));
}

export function CurvesCard({ run, series, interventions, openId, onOpen }: {
  run: Run;
  series: Schemas['SeriesInfo'][];
  interventions: InterventionRecord[];
  openId: string | undefined;
  onOpen: (id: string | undefined) => void;
}) {
  const navigate = useNavigate({ from: '/runs/$runId' });
  const { from, to, log, x: kind = 'step', smooth = DEFAULT_SMOOTHING } = useSearch({ from: '/app/runs/$runId' });
  const [table, setTable] = useState(false);
  const last = Math.max(0, ...series.map((item) => item.last_step));
  const end = Math.max(plannedEnd(run) ?? 0, last, 1);
  const zoomed = from !== undefined && to !== undefined && to > from;
  const xKinds = X_KINDS.filter((value) => value === 'step' || series.some((item) => item.key === mapSeries(value)));
  const { data: growing } = useQuery({ ...metricQuery(run.id, mapSeries(kind), {}, BUCKETS, true), enabled: kind !== 'step' && xKinds.includes(kind) });
  const known = useMemo(() => placeOf(kind, growing), [kind, growing]);
  const place = known ?? BY_STEP;
  const xText = xTextOf(place.kind);
  // what a run has not done yet takes a time that nobody knows
  const xEnd = place.kind === 'time' ? last : end;
  const x = useMemo<[number, number]>(() => (zoomed ? [place.at(from), place.at(to)] : [0, place.at(xEnd)]), [zoomed, from, to, xEnd, place]);
  const range: StepRange = zoomed ? { from, to } : {};
  const markers = useMemo(() => markersOf(interventions, openId, place), [interventions, openId, place]);
  const shared = {
    run,
    x,
    range,
    markers,
    now: isTerminal(run.state) || last >= xEnd ? null : place.at(last),
    place,
    xText,
    smoothing: smooth,
    log: log ?? false,
    onZoom: (a: number, b: number) => {
      const first = Math.floor(place.back(a));
      void navigate({ search: (old) => ({ ...old, from: first, to: Math.max(Math.ceil(place.back(b)), first + 1) }), replace: true });
    },
    onReset: () => void navigate({ search: (old) => ({ ...old, from: undefined, to: undefined }), replace: true }),
  };
  const panels = panelsOf(series.map((item) => item.key));
  const layers = useMemo(() => layerSeries(series.map((item) => item.key)), [series]);
  // beside what it explains, before what is told for completeness
  const stripAfter = layers.size > 0 ? panels[Math.max(0, panels.indexOf('lr'))] : undefined;
  const glyphs = (position: (x: number) => number | null) => <MarkerRow interventions={interventions} position={(step) => position(place.at(step))} openId={openId} onOpen={onOpen} />;
  return (
    <section className="card curves-card" aria-label="Curves">
      <div className="row wrap curves-tools">
        {!isTerminal(run.state) && <LivePill zoomed={zoomed} />}
        {zoomed ? (
          <button className="btn compact" onClick={shared.onReset}>
            Steps {formatStep(from)} to {formatStep(to)} · Reset
          </button>
        ) : (
          <span className="tiny muted only-wide">Drag to zoom, double click to reset</span>
        )}
        <span className="push" />
        {panels.length > 0 && <Smoothing value={smooth} onChange={(value) => void navigate({ search: (old) => ({ ...old, smooth: value === DEFAULT_SMOOTHING ? undefined : value }), replace: true })} />}
        {xKinds.length > 1 && (
          <Segmented
            label="Along x"
            value={kind}
            options={xKinds.map((value) => ({ value, label: X_NAMES[value] }))}
            onChange={(value) => void navigate({ search: (old) => ({ ...old, x: value === 'step' ? undefined : value }), replace: true })}
          />
        )}
        <Segmented
          label="Scale of loss and norms"
          value={log ? 'log' : 'linear'}
          options={[
            { value: 'linear', label: 'Linear' },
            { value: 'log', label: 'Log' },
          ]}
          onChange={(value) => void navigate({ search: (old) => ({ ...old, log: value === 'log' || undefined }), replace: true })}
        />
        <button className="btn compact" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? 'Charts' : 'Table'}
        </button>
      </div>
      {table ? (
        <PointsTable runId={run.id} keys={panels} range={range} />
      ) : (
        panels.flatMap((key, i) => [
          key === 'loss' ? (
            <LossPanel key={key} {...shared} hasHeldout={series.some((s) => s.key === 'heldout_loss')} withX={i === panels.length - 1} overlay={glyphs} />
          ) : (
            <SeriesPanel key={key} {...shared} metric={key} slot={i} withX={i === panels.length - 1} />
          ),
          ...(key === stripAfter ? [<LayerStrip key="layers" runId={run.id} choices={layers} x={x} range={range} place={place} onZoom={shared.onZoom} />] : []),
        ])
      )}
    </section>
  );
}

function MarkerRow({ interventions, position, openId, onOpen }: {
  interventions: InterventionRecord[];
  position: (step: number) => number | null;
  openId: string | undefined;
  onOpen: (id: string | undefined) => void;
}) {
  return (
    <div className="markers-row" role="group" aria-label="Interventions">
      {interventions.map((item) => {
        const left = position(item.step);
        if (left === null) return null;
        const outcome = item.outcome ?? 'verifying';
        return (
          <button
            key={item.id}
            className="marker"
            style={{ left }}
            aria-pressed={item.id === openId}
            aria-label={`Intervention at step ${formatStep(item.step)}: ${item.action.replaceAll('+', ', ').replaceAll('_', ' ')}. ${OUTCOMES[outcome]}`}
            onClick={() => onOpen(item.id === openId ? undefined : item.id)}
          >
            <OutcomeGlyph outcome={outcome} size={item.id === openId ? 16 : 14} />
          </button>
        );
      })}
    </div>
  );
}
