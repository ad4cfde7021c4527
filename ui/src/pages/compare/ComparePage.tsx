// Which difference is real: curves over one another, each minus the base, the settings that differ.
import { IconLink } from '@tabler/icons-react';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { Empty, SkeletonRows } from '../../components/feedback';
import { Segmented } from '../../components/Segmented';
import { Page } from '../../components/Shell';
import { DEFAULT_SMOOTHING, Smoothing } from '../../components/Smoothing';
import { MAX_COMPARED, readSlots, sayClaims, withoutRun, withRun, writeSlots } from '../../figures/compare';
import { formatLoss } from '../../figures/numbers';
import { X_KINDS } from '../../figures/place';
import { formatOf, isLowerBetter } from '../../figures/series';
import { spellOut } from '../../figures/words';
import { X_NAMES, xTextOf } from '../../figures/xText';
import { CompareChart } from './CompareChart';
import { ConfigTable } from './ConfigTable';
import './compare.css';
import { CurveTable } from './CurveTable';
import { RunColumn } from './RunColumn';
import { RunPicker } from './RunPicker';
import type { CompareSearch } from './search';
import { claimsOf, useCompared } from './useCompared';

function useView() {
  const search = useSearch({ from: '/app/compare' });
  const navigate = useNavigate({ from: '/compare' });
  const set = (change: CompareSearch) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const slots = useMemo(() => readSlots(search.runs), [search.runs]);
  return { search, set, slots, metric: search.metric ?? 'loss', x: search.x ?? ('step' as const), smoothing: search.smooth ?? DEFAULT_SMOOTHING };
}

type View = ReturnType<typeof useView>;
type Shown = ReturnType<typeof useCompared>;

function CopyLink() {
  const [copied, setCopied] = useState(false);
  return (
    <button className="btn" onClick={() => void navigator.clipboard.writeText(window.location.href).then(() => setCopied(true))}>
      <IconLink size={14} stroke={1.75} /> {copied ? 'Copied' : 'Copy link'}
    </button>
  );
}

function Tools({ view, metrics, table, onTable }: { view: View; metrics: readonly string[]; table: boolean; onTable: (table: boolean) => void }) {
  const { search, set, metric, x } = view;
  const options = metrics.includes(metric) ? metrics : [metric, ...metrics];
  return (
    <div className="row wrap compare-tools">
      <select className="field-input metric-select" aria-label="Series" value={metric} onChange={(event) => set({ metric: event.target.value === 'loss' ? undefined : event.target.value, from: undefined, to: undefined })}>
        {options.map((key) => (
          <option key={key} value={key}>
            {spellOut(key)}
          </option>
        ))}
      </select>
      {search.from !== undefined && search.to !== undefined && (
        <button className="btn compact" onClick={() => set({ from: undefined, to: undefined })}>
          {xTextOf(x).format(search.from)} to {xTextOf(x).format(search.to)} · Reset
        </button>
      )}
      <span className="push" />
      <Smoothing value={view.smoothing} onChange={(smooth) => set({ smooth: smooth === DEFAULT_SMOOTHING ? undefined : smooth })} />
      <Segmented label="Along x" value={x} options={X_KINDS.map((value) => ({ value, label: X_NAMES[value] }))} onChange={(kind) => set({ x: kind === 'step' ? undefined : kind, from: undefined, to: undefined })} />
      <Segmented
        label="Scale"
        value={search.log ? 'log' : 'linear'}
        options={[
          { value: 'linear', label: 'Linear' },
          { value: 'log', label: 'Log' },
        ]}
        onChange={(value) => set({ log: value === 'log' || undefined })}
      />
      <button className="btn compact" aria-pressed={table} onClick={() => onTable(!table)}>
        {table ? 'Charts' : 'Table'}
      </button>
    </div>
  );
}

function Claims({ shown, metric }: { shown: Shown; metric: string }) {
  if (!shown.base || shown.runs.length < 2) return null;
  const noise = shown.noise?.half.at(-1) ?? null;
  const claims = sayClaims(claimsOf(shown.runs, shown.base), noise, isLowerBetter(metric), metric.endsWith('loss') ? formatLoss : formatOf(metric));
  return (
    <section className="card" aria-label="What the curves say">
      <div className="card-head">
        <h2>What the curves say</h2>
      </div>
      <ul className="claims">
        {claims.map((claim) => (
          <li key={claim.name}>
            <b>{claim.name}</b> {claim.text}
          </li>
        ))}
        {claims.length === 0 && <li className="muted">Nothing yet: no run has this series beside the base.</li>}
        {noise === null && claims.length > 0 && <li className="muted">Three runs that differ in their seed alone would tell the noise.</li>}
      </ul>
    </section>
  );
}

function Charts({ view, shown, lifted }: { view: View; shown: Shown; lifted: string | null }) {
  const { search, set, metric, x } = view;
  const [table, setTable] = useState(false);
  const end = Math.max(1, ...shown.runs.map((item) => item.trace.steps.at(-1) ?? 0));
  const zoomed = search.from !== undefined && search.to !== undefined && search.to > search.from;
  const range = useMemo<[number, number]>(() => (zoomed ? [search.from ?? 0, search.to ?? 1] : [0, end]), [zoomed, search.from, search.to, end]);
  const without = shown.runs.filter((item) => item.trace.steps.length === 0);
  return (
    <section className="card compare-charts" aria-label="Curves">
      <Tools view={view} metrics={shown.metrics} table={table} onTable={setTable} />
      {without.length > 0 && !shown.waiting && (
        <p className="small muted">
          {without.length === 1 ? `${without[0]?.run.name} has` : `${without.length} runs have`} no {spellOut(metric).toLowerCase()}
          {x === 'step' ? '' : ` by ${x}`} yet.
        </p>
      )}
      {table ? (
        <CurveTable runs={shown.runs} metric={metric} x={x} range={range} />
      ) : (
        <CompareChart
          runs={shown.runs}
          base={shown.base}
          noise={shown.noise}
          metric={metric}
          x={range}
          log={search.log ?? false}
          lifted={lifted}
          smoothing={view.smoothing}
          xText={xTextOf(x)}
          onZoom={(from, to) => set({ from, to: Math.max(to, from + 1) })}
          onReset={() => set({ from: undefined, to: undefined })}
        />
      )}
    </section>
  );
}

export function ComparePage() {
  const view = useView();
  const { search, set, slots } = view;
  const shown = useCompared(slots, { base: search.base, metric: view.metric, x: view.x, smoothing: view.smoothing });
  const [lifted, setLifted] = useState<string | null>(null);
  const count = slots.filter(Boolean).length;
  const add = (id: string) => set({ runs: writeSlots(withRun(slots, id)) });
  const noise = shown.noise?.half.at(-1) ?? null;
  return (
    <Page crumbs={[{ label: 'Compare' }, ...(count ? [{ label: count === 1 ? '1 run' : `${count} runs` }] : [])]}>
      <div className="page-head">
        <h1>{count ? `Compare ${count === 1 ? '1 run' : `${count} runs`}` : 'Compare'}</h1>
        <span className="push" />
        {count > 0 && count < MAX_COMPARED && <RunPicker taken={slots} onAdd={add} />}
        {count > 0 && <CopyLink />}
      </div>
      {count === 0 && (
        <Empty title="No runs chosen" todo={`Up to ${MAX_COMPARED} runs stand over one another here. Add them, or press x on rows of the list of runs and then c.`}>
          <RunPicker taken={slots} onAdd={add} primary />
        </Empty>
      )}
      {shown.missing.length > 0 && (
        <div className="reason-bar is-failed" role="alert">
          <span>
            {shown.missing.length === 1 ? 'One run' : `${shown.missing.length} runs`} could not be loaded: deleted, or not yours to see.
          </span>
          <button className="link-button push" onClick={() => set({ runs: writeSlots(shown.missing.reduce<readonly string[]>(withoutRun, slots)) })}>
            Take out
          </button>
        </div>
      )}
      {count > 0 && shown.runs.length === 0 && shown.pending && <SkeletonRows rows={10} height={40} />}
      {shown.runs.length > 0 && (
        <>
          <div className="compare-layout">
            <Charts view={view} shown={shown} lifted={lifted} />
            <div className="stack side-column">
              <RunColumn
                runs={shown.runs}
                base={shown.base}
                noise={noise}
                metric={view.metric}
                lower={isLowerBetter(view.metric)}
                onLift={setLifted}
                onBase={(base) => set({ base })}
                onRemove={(id) => set({ runs: writeSlots(withoutRun(slots, id)) })}
              />
              <Claims shown={shown} metric={view.metric} />
            </div>
          </div>
          {shown.base && <ConfigTable runs={shown.runs} base={shown.base} all={search.all ?? false} onAll={(all) => set({ all: all || undefined })} />}
        </>
      )}
    </Page>
  );
}
