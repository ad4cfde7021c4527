// Progress of a run in segments, one a stage.
import type { RunSummary } from '../api/queries';
import { formatPercent } from '../figures/numbers';
import { isTerminal } from './state';

type Stage = RunSummary['progress'][number];

export const shareOf = (stage: Stage): number => (stage.total > 0 ? Math.min(1, Math.max(0, stage.done / stage.total)) : 0);

/** Mean over the stages that are known; a completed run is whole. */
export function overallShare(run: Pick<RunSummary, 'progress' | 'state'>): number | null {
  if (run.state === 'completed') return 1;
  if (run.progress.length === 0) return null;
  return run.progress.reduce((sum, stage) => sum + shareOf(stage), 0) / run.progress.length;
}

export function RunProgress({ run }: { run: Pick<RunSummary, 'progress' | 'state'> }) {
  const share = overallShare(run);
  if (run.state === 'queued') return <span className="muted">in queue</span>;
  if (share === null) return null;
  const stages = run.progress.length ? run.progress : [{ stage: 'all', done: 1, total: 1 } as Stage];
  const bar = isTerminal(run.state) && run.state !== 'failed' && run.state !== 'crashed' ? 'quiet' : `is-${run.state}`;
  return (
    <div className="row">
      <div className={`segments ${bar}`} aria-hidden>
        {stages.map((stage) => (
          <span key={stage.stage} title={stage.stage}>
            <i style={{ width: `${(run.state === 'completed' ? 1 : shareOf(stage)) * 100}%` }} />
          </span>
        ))}
      </div>
      <span className="num muted small">{formatPercent(share, 0)}</span>
    </div>
  );
}
