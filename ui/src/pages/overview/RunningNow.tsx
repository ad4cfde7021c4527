// What runs now: how far, how well, how long still.
import { Link } from '@tanstack/react-router';
import type { RunSummary } from '../../api/queries';
import { useNow } from '../../components/live';
import { overallShare, RunProgress } from '../../components/RunProgress';
import { StateGlyph } from '../../components/state';
import { formatLoss, formatRate, MISSING } from '../../figures/numbers';
import { elapsedSeconds, formatDuration } from '../../figures/time';
import { spellOut } from '../../figures/words';

function left(run: RunSummary, now: number): string {
  const share = overallShare(run);
  const elapsed = elapsedSeconds(run.started_at ?? null, null, now);
  if (run.state !== 'running' || !share || !elapsed || share >= 1) return MISSING;
  return `about ${formatDuration((elapsed * (1 - share)) / share)}`;
}

export function RunningNow({ runs }: { runs: RunSummary[] }) {
  const now = useNow(1000);
  const live = runs.filter((run) => run.state === 'running' || run.state === 'cancelling');
  const queued = runs.filter((run) => run.state === 'queued').length;
  return (
    <section className="card" aria-label="Running now">
      <div className="card-head">
        <h2>Running now</h2>
        {live.length > 0 && <span className="small muted">{live.length}</span>}
        <span className="push" />
        <Link to="/runs" className="link small">
          All runs
        </Link>
      </div>
      {live.length === 0 ? (
        <p className="card-body muted">{queued ? `Nothing; ${queued === 1 ? 'one run waits' : `${queued} runs wait`} for a worker.` : 'Nothing runs.'}</p>
      ) : (
        <div className="table-wrap">
          <table className="table overview-runs">
            <thead>
              <tr>
                <th>Run</th>
                <th>Progress</th>
                <th className="right">Loss</th>
                <th className="right only-wide">Speed</th>
                <th className="right only-wide">Remaining</th>
              </tr>
            </thead>
            <tbody>
              {live.map((run) => (
                <tr key={run.id}>
                  <td className="overview-name">
                    <span className="row">
                      <StateGlyph state={run.state} />
                      <Link to="/runs/$runId" params={{ runId: run.id }} className="strong clip" data-row={run.id}>
                        {run.name}
                      </Link>
                      <span className="tag only-wide">{spellOut(run.kind)}</span>
                    </span>
                  </td>
                  <td>
                    <RunProgress run={run} />
                  </td>
                  <td className="num strong">{formatLoss(run.headline.loss)}</td>
                  <td className="num only-wide">{typeof run.headline.tokens_per_second === 'number' ? formatRate(run.headline.tokens_per_second, 'tok/s') : MISSING}</td>
                  <td className="num muted only-wide">{left(run, now)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
