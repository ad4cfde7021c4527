// The panels: loss, gradient norm, learning rate, or whatever series a run has.
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { InterventionRecord, Run, StepRange } from '../../api/queries';
import type { Schemas } from '../../api/client';
import type { Marker } from '../../charts/lines';
import { LivePill } from '../../components/live';
import { Segmented } from '../../components/Segmented';
import { isTerminal, OutcomeGlyph, OUTCOMES, type Outcome } from '../../components/state';
import { formatStep } from '../../figures/numbers';
import { LossPanel } from './LossPanel';
import { SeriesPanel } from './SeriesPanel';
import { PointsTable } from './PointsTable';
import { panelsOf, plannedEnd } from './panels';

const COLORS: Record<Outcome, string> = { recovered: '--helped', not_recovered: '--harmful', no_checkpoint: '--harmless', verifying: '--verifying', proposed: '--verifying', rejected: '--harmless' };

function markersOf(interventions: InterventionRecord[], openId: string | undefined): Marker[] {
  return interventions.map((item) => ({
    id: item.id,
    step: item.step,
    color: COLORS[item.outcome ?? 'verifying'],
    open: item.id === openId,
    from: item.step - (item.cost_steps ?? 0),
    to: item.outcome_step ?? item.step,
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
  const { from, to, log } = useSearch({ from: '/app/runs/$runId' });
  const [table, setTable] = useState(false);
  const last = Math.max(0, ...series.map((item) => item.last_step));
  const end = Math.max(plannedEnd(run) ?? 0, last, 1);
  const zoomed = from !== undefined && to !== undefined && to > from;
  const x = useMemo<[number, number]>(() => (zoomed ? [from, to] : [0, end]), [zoomed, from, to, end]);
  const range: StepRange = zoomed ? { from, to } : {};
  const markers = useMemo(() => markersOf(interventions, openId), [interventions, openId]);
  const shared = {
    run,
    x,
    range,
    markers,
    now: isTerminal(run.state) || last >= end ? null : last,
    onZoom: (a: number, b: number) => void navigate({ search: (old) => ({ ...old, from: a, to: Math.max(b, a + 1) }), replace: true }),
    onReset: () => void navigate({ search: (old) => ({ ...old, from: undefined, to: undefined }), replace: true }),
  };
  const panels = panelsOf(series.map((item) => item.key));
  const glyphs = (position: (step: number) => number | null) => <MarkerRow interventions={interventions} position={position} openId={openId} onOpen={onOpen} />;
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
        <Segmented
          label="Scale of norms"
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
        panels.map((key, i) =>
          key === 'loss' ? (
            <LossPanel key={key} {...shared} hasHeldout={series.some((s) => s.key === 'heldout_loss')} withX={i === panels.length - 1} overlay={glyphs} />
          ) : (
            <SeriesPanel key={key} {...shared} metric={key} slot={i} log={log ?? false} withX={i === panels.length - 1} />
          ),
        )
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
