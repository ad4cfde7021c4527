// Any other series: band, line, rolled-back branches.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { metricQuery, type Run, type StepRange } from '../../api/queries';
import type { Marker, PanelData } from '../../charts/lines';
import { Panel } from '../../charts/Panel';
import { mergeBranches } from '../../figures/curves';
import { formatLr } from '../../figures/numbers';
import { spellOut } from '../../figures/words';
import { formatOf, NOTES } from './panels';

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
}

export function SeriesPanel({ run, metric, range, log, slot, ...rest }: SharedPanelProps & { metric: string; log: boolean; slot: number; withX: boolean }) {
  const { data: buckets } = useQuery(metricQuery(run.id, metric, range, BUCKETS));
  const color = metric === 'lr' ? '--s6' : (COLORS[slot % COLORS.length] ?? '--s1');
  const data = useMemo<PanelData>(() => {
    const curve = mergeBranches(buckets ?? []);
    return {
      band: { color, steps: curve.live.steps, min: curve.live.min, max: curve.live.max },
      lines: [
        { label: 'applied', color, steps: curve.live.steps, values: curve.live.mean },
        ...curve.abandoned.map((branch) => ({ label: branch.branch === curve.abandoned[0]?.branch ? 'rolled back' : `rolled back, ${branch.branch + 1}`, color: '--s4', steps: branch.steps, values: branch.mean, opacity: 0.85, width: 1.25 })),
      ],
    };
  }, [buckets, color]);
  const logarithmic = log && metric.endsWith('norm');
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
