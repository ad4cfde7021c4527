// Pools of workers: who is there, what runs, what waits.
import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { Skeleton } from '../../components/feedback';
import type { Pool } from '../../figures/needs';

function words(pool: Pool<Schemas['Worker']>): string {
  const parts = [`${pool.online} of ${pool.workers.length} online`];
  if (pool.workers.length === 0) parts[0] = 'no worker';
  if (pool.running) parts.push(`${pool.running} running`);
  if (pool.queued) parts.push(`${pool.queued} queued`);
  return parts.join(' · ');
}

export function Pools({ pools, loading }: { pools: Pool<Schemas['Worker']>[]; loading: boolean }) {
  return (
    <section className="card" aria-label="Workers">
      <div className="card-head">
        <h2>Workers</h2>
        <span className="push" />
        <Link to="/workers" className="link small">
          All workers
        </Link>
      </div>
      {loading && (
        <div className="card-body">
          <Skeleton width="60%" />
        </div>
      )}
      {!loading && pools.length === 0 && <p className="card-body muted">None yet: runs wait until one joins.</p>}
      <ul className="pool-list">
        {pools.map((pool) => (
          <li key={pool.name}>
            <span className="dot" style={{ background: pool.online ? 'var(--completed)' : 'transparent', boxShadow: pool.online ? 'none' : 'inset 0 0 0 1.5px var(--failed)' }} />
            <b className="strong">{pool.name}</b>
            <span className={`push small ${pool.online === 0 && pool.queued > 0 ? 'is-failed' : 'muted'}`}>{words(pool)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
