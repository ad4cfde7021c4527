// Training loss: band, smoothed line, held-out loss, and what was rolled back.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { metricQuery } from '../../api/queries';
import type { PanelData } from '../../charts/lines';
import { Panel, type PanelProps } from '../../charts/Panel';
import { mergeBranches, smooth } from '../../figures/curves';
import { formatLoss } from '../../figures/numbers';
import type { Place } from '../../figures/place';
import { NOTES } from './panels';
import { BUCKETS, type SharedPanelProps } from './SeriesPanel';

function useLoss(runId: string, range: SharedPanelProps['range'], hasHeldout: boolean, strength: number, place: Place): PanelData {
  const loss = useQuery(metricQuery(runId, 'loss', range, BUCKETS));
  const heldout = useQuery({ ...metricQuery(runId, 'heldout_loss', range, BUCKETS), enabled: hasHeldout });
  return useMemo(() => {
    const curve = mergeBranches(loss.data ?? [], place.at);
    const held = mergeBranches(heldout.data ?? [], place.at).live;
    return {
      band: { color: '--s1', steps: curve.live.steps, min: curve.live.min, max: curve.live.max },
      lines: [
        { label: strength ? 'smoothed' : 'training', color: '--s1', steps: curve.live.steps, values: smooth(curve.live.mean, strength), width: 2 },
        // Smoothing must not hide a spike: the raw line stays, faint.
        ...(strength ? [{ label: 'raw', color: '--s1', steps: curve.live.steps, values: curve.live.mean, width: 1, opacity: 0.35 }] : []),
        { label: 'held-out', color: '--s2', steps: held.steps, values: held.mean, dash: [7, 3], points: held.steps.length < 60 },
        ...curve.abandoned.map((branch) => ({
          label: branch.branch === curve.abandoned[0]?.branch ? 'rolled back' : `rolled back, ${branch.branch + 1}`,
          color: '--s4',
          steps: branch.steps,
          values: branch.mean,
          opacity: 0.85,
        })),
      ],
    };
  }, [loss.data, heldout.data, strength, place]);
}

export function LossPanel({ run, range, hasHeldout, overlay, place, smoothing, ...rest }: SharedPanelProps & {
  hasHeldout: boolean;
  withX: boolean;
  overlay: NonNullable<PanelProps['overlay']>;
}) {
  const data = useLoss(run.id, range, hasHeldout, smoothing / 100, place);
  return (
    <Panel
      title="Training loss"
      note={rest.log ? `${NOTES.loss}, log scale` : NOTES.loss}
      data={data}
      height={264}
      format={formatLoss}
      legend
      overlay={overlay}
      {...rest}
    />
  );
}
