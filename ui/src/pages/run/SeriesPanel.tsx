// Any other series: band, line, rolled-back branches.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { metricQuery, type Run, type StepRange } from '../../api/queries';
import type { Marker, PanelData } from '../../charts/lines';
import { Panel } from '../../charts/Panel';
import type { XText } from '../../charts/options';
import { mergeBranches, smooth } from '../../figures/curves';
import { formatLr } from '../../figures/numbers';
import type { Place } from '../../figures/place';
import { formatOf } from '../../figures/series';
import { spellOut } from '../../figures/words';
import { NOTES } from './panels';

/** Buckets asked for: about one a pixel of a wide plot. */
export const BUCKETS = 800;

const COLORS = ['--s1', '--s7', '--s3', '--s6', '--s5', '--s2', '--s8', '--s4'];

export interface SharedPanelProps {
  run: Run;
  x: [number, number];
  range: StepRange;
  markers: Marker[];
  now: number | null;
  onZoom: (from: number, to: number) => void;
  onReset: () => void;
  place: Place;
  xText: XText;
  /** In per cent. */
  smoothing: number;
  log: boolean;
}

export function SeriesPanel({ run, metric, range, log, slot, place, smoothing, ...rest }: SharedPanelProps & { metric: string; slot: number; withX: boolean }) {
  const { data: buckets } = useQuery(metricQuery(run.id, metric, range, BUCKETS));
  const color = metric === 'lr' ? '--s6' : (COLORS[slot % COLORS.length] ?? '--s1');
  const data = useMemo<PanelData>(() => {
    const curve = mergeBranches(buckets ?? [], place.at);
    // a schedule has no noise: smoothing would only bend it
    const strength = metric === 'lr' ? 0 : smoothing / 100;
    return {
      band: { color, steps: curve.live.steps, min: curve.live.min, max: curve.live.max },
      lines: [
        { label: 'applied', color, steps: curve.live.steps, values: smooth(curve.live.mean, strength) },
        ...curve.abandoned.map((branch) => ({ label: branch.branch === curve.abandoned[0]?.branch ? 'rolled back' : `rolled back, ${branch.branch + 1}`, color: '--s4', steps: branch.steps, values: branch.mean, opacity: 0.85, width: 1.25 })),
      ],
    };
  }, [buckets, color, place, smoothing, metric]);
  const logarithmic = log && (metric.endsWith('norm') || metric.endsWith('loss'));
  return (
    <Panel
      title={spellOut(metric)}
      note={logarithmic ? `${NOTES[metric] ?? ''}, log scale` : NOTES[metric]}
      data={data}
      height={rest.withX ? 116 : 92}
      format={formatOf(metric)}
      {...(metric === 'lr' ? { formatTick: formatLr } : {})}
      log={logarithmic}
      fromZero={!logarithmic}
      {...rest}
    />
  );
}
