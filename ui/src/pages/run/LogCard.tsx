// The end of the log, beside the curves.
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { eventsQuery } from '../../api/events';
import { Skeleton } from '../../components/feedback';
import { formatStep } from '../../figures/numbers';
import { formatClock } from '../../figures/time';

const LINES = 8;

export function LogCard({ runId }: { runId: string }) {
  const navigate = useNavigate({ from: '/runs/$runId' });
  const { data } = useInfiniteQuery(eventsQuery(runId, { kind: ['log', 'checkpoint', 'rollback', 'warning'] }, LINES));
  const lines = data?.pages[0] ?? [];
  return (
    <section className="card" aria-label="End of the log">
      <div className="card-head">
        <h2>Log</h2>
        <span className="small muted">follows the end</span>
        <span className="push" />
        <button className="link-button" onClick={() => void navigate({ search: (old) => ({ ...old, tab: 'log' }) })}>
          Open
        </button>
      </div>
      <div className="log-end mono">
        {!data && <Skeleton width="70%" />}
        {data && lines.length === 0 && <span className="muted">No lines yet.</span>}
        {lines.map((line) => (
          <div key={line.id} className={`log-short level-${line.level}`}>
            <span className="muted">{line.step == null ? formatClock(line.time) : formatStep(line.step)}</span>
            <span className="clip" title={line.message}>
              {line.message}
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}
