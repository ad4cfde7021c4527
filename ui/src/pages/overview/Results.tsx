// What came out of late: finished runs, and scores with their intervals.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { evaluationsQuery } from '../../api/datasets';
import type { RunSummary } from '../../api/queries';
import { formatScore } from '../../components/Scores';
import { StateGlyph } from '../../components/state';
import { When } from '../../components/When';
import { formatLoss } from '../../figures/numbers';
import { spellOut } from '../../figures/words';

const SHOWN = 6;

function figure(run: RunSummary): string {
  const loss = run.headline.heldout_loss ?? run.headline.loss;
  return loss == null ? spellOut(run.kind) : `loss ${formatLoss(loss)}`;
}

export function Results({ runs }: { runs: RunSummary[] }) {
  const { data } = useQuery(evaluationsQuery());
  const done = runs.filter((run) => run.state === 'completed').sort((a, b) => (b.finished_at ?? '').localeCompare(a.finished_at ?? ''));
  const scores = data ?? [];
  return (
    <>
      <section className="card" aria-label="Finished of late">
        <div className="card-head">
          <h2>Finished of late</h2>
        </div>
        {done.length === 0 && <p className="card-body muted">Nothing yet.</p>}
        <ul className="result-list">
          {done.slice(0, SHOWN).map((run) => (
            <li key={run.id}>
              <StateGlyph state={run.state} />
              <Link to="/runs/$runId" params={{ runId: run.id }} className="clip strong" data-row={run.id}>
                {run.name}
              </Link>
              <span className="push num small">{figure(run)}</span>
              <span className="small muted result-time">
                <When time={run.finished_at} />
              </span>
            </li>
          ))}
        </ul>
      </section>
      {scores.length > 0 && (
        <section className="card" aria-label="Scores of late">
          <div className="card-head">
            <h2>Scores of late</h2>
            <span className="push" />
            <Link to="/evaluations" className="link small">
              All scores
            </Link>
          </div>
          <ul className="result-list">
            {scores.slice(0, SHOWN).map((score) => (
              <li key={score.id}>
                <Link to="/evaluations" search={{ open: score.id }} className="clip strong">
                  {score.run_name}
                </Link>
                <span className="small muted result-task">{spellOut(score.task)}</span>
                <span className="push num small">
                  <b className="strong">{formatScore(score.metric, score.value)}</b>{' '}
                  <span className="muted only-wide">
                    {formatScore(score.metric, score.low)} to {formatScore(score.metric, score.high)}
                  </span>
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
