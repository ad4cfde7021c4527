// The runs of the view with their curves, all that is computed from them.
import { useQueries, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { ApiError } from '../../api/client';
import { metricQuery, runQuery, seriesQuery, type Run } from '../../api/queries';
import { compareSpecs, flattenSpec, noiseOf, sameButSeed, slotStyle, subtract, tailDifference, type Compared, type SlotStyle, type Trace } from '../../figures/compare';
import { mergeBranches, smooth, type Points } from '../../figures/curves';
import { mapSeries, placeOf, type XKind } from '../../figures/place';

/** Points asked for a curve: fewer when there are many. */
const bucketsFor = (count: number): number => (count > 12 ? 400 : 800);

export interface ComparedRun {
  id: string;
  slot: number;
  style: SlotStyle;
  run: Run;
  spec: Map<string, string>;
  points: Points | null;
  /** Smoothed. */
  trace: Trace;
  difference: Trace;
  tail: number | null;
  last: number | null;
}

/** Runs that are there, in the order of their slots; `missing` of them could not be loaded. */
function useRuns(slots: readonly string[]) {
  const ids = slots.map((id, slot) => ({ id, slot })).filter((item) => item.id !== '');
  return useQueries({
    queries: ids.map(({ id }) => ({ ...runQuery(id), staleTime: 30_000 })),
    combine: (answers) => ({
      found: answers.flatMap((answer, i) => {
        const at = ids[i];
        return answer.data && at ? [{ ...at, run: answer.data }] : [];
      }),
      missing: ids.filter((_, i) => answers[i]?.error).map((item) => item.id),
      pending: answers.some((answer) => answer.isPending),
      updated: answers.map((answer) => answer.dataUpdatedAt).join(),
    }),
  });
}

function useCurves(ids: readonly string[], metric: string, x: XKind) {
  const buckets = bucketsFor(ids.length);
  const curves = useQueries({ queries: ids.map((id) => ({ ...metricQuery(id, metric, {}, buckets), retry: retryUnlessMissing })) });
  const maps = useQueries({ queries: ids.map((id) => ({ ...metricQuery(id, mapSeries(x), {}, buckets, true), enabled: x !== 'step', retry: retryUnlessMissing })) });
  return { curves, maps };
}

const retryUnlessMissing = (count: number, error: Error) => count < 2 && !(error instanceof ApiError && error.status < 500);

export function useCompared(slots: readonly string[], view: { base: string | undefined; metric: string; x: XKind; smoothing: number }) {
  const { found, missing, pending, updated } = useRuns(slots);
  const ids = found.map((item) => item.id);
  const { curves, maps } = useCurves(ids, view.metric, view.x);
  const stamp = `${ids.join()} ${updated} ${[...curves, ...maps].map((answer) => answer.dataUpdatedAt).join()}`;
  const baseId = found.find((item) => item.id === view.base)?.id ?? found[0]?.id;
  const { data: series } = useQuery({ ...seriesQuery(baseId ?? ''), enabled: baseId !== undefined });
  const runs = useMemo(() => {
    const drawn = found.map(({ id, slot, run }, i): ComparedRun => {
      const place = placeOf(view.x, maps[i]?.data);
      const buckets = curves[i]?.data;
      const points = buckets && place ? mergeBranches(buckets, place.at).live : null;
      const trace = points ? { steps: points.steps, values: smooth(points.mean, view.smoothing / 100) } : { steps: [], values: [] };
      const last = points?.mean.findLast((v) => v !== null) ?? null;
      return { id, slot, style: slotStyle(slot), run, spec: flattenSpec(run.spec), points, trace, difference: trace, tail: null, last };
    });
    const base = drawn.find((item) => item.id === baseId);
    if (base) for (const item of drawn) Object.assign(item, { difference: subtract(item.trace, base.trace), tail: tailDifference(item.trace, base.trace) });
    return drawn;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the answers are new objects each time; `stamp` says when they changed
  }, [stamp, baseId, view.x, view.smoothing]);
  const base = runs.find((item) => item.id === baseId) ?? null;
  const noise = useMemo(() => {
    if (!base) return null;
    return noiseOf(runs.filter((item) => item === base || sameButSeed(item.spec, base.spec)).map((item) => item.trace), base.trace);
  }, [runs, base]);
  const waiting = pending || curves.some((answer) => answer.isPending) || (view.x !== 'step' && maps.some((answer) => answer.isPending));
  const metrics = [...new Set([...found.flatMap((item) => Object.keys(item.run.headline)), ...(series ?? []).map((item) => item.key)])].filter((key) => !key.includes('/') && key !== 'tokens' && key !== 'flops').sort();
  return { runs, base, noise, missing, pending, waiting, metrics };
}

/** What sentences are made of. */
export function claimsOf(runs: readonly ComparedRun[], base: ComparedRun): Compared[] {
  return runs
    .filter((item) => item !== base)
    .map((item) => ({
      name: item.run.name,
      difference: item.tail,
      changed: compareSpecs([item.spec, base.spec]).differing.filter((key) => !/(^|\.)seed$/.test(key)),
      sameButSeed: sameButSeed(item.spec, base.spec),
    }));
}
