// The scores of an evaluation run.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { evaluationsQuery } from '../../api/datasets';
import type { Run } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { ScoreTable } from '../../components/Scores';
import { spellOut } from '../../figures/words';

export default function ScoresTab({ run }: { run: Run }) {
  const { data, error, refetch } = useQuery({ ...evaluationsQuery(run.id), refetchInterval: run.state === 'running' ? 5_000 : false });
  if (error && !data) return <ProblemCard error={error} what="The scores could not be loaded" retry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={6} />;
  if (data.length === 0) return <Empty title="No scores yet" todo="Each task's score stands here with its 95 % interval once it is done." />;
  return (
    <div className="score-list">
      {data.map((evaluation) => (
        <section className="card" key={evaluation.id}>
          <div className="card-head">
            <h2>{spellOut(evaluation.task)}</h2>
            <span className="small muted">{evaluation.metric === 'bits_per_byte' ? 'bits per byte, lower is better' : 'accuracy, higher is better'}</span>
            <span className="push" />
            <Link to="/evaluations" search={{ open: evaluation.id }} className="link small">
              Items
            </Link>
          </div>
          <ScoreTable evaluation={evaluation} />
        </section>
      ))}
    </div>
  );
}
