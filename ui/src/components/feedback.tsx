// What stands where data is not: loading, an error at its place, nothing yet.
import { IconRefresh } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client';

export function Skeleton({ width = '100%', height = 14 }: { width?: number | string; height?: number }) {
  return <div className="skeleton" style={{ width, height }} aria-hidden />;
}

export function SkeletonRows({ rows = 6, height = 34 }: { rows?: number; height?: number }) {
  return (
    <div role="status" aria-label="Loading" className="card" style={{ padding: '4px 14px' }}>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} style={{ height, display: 'flex', alignItems: 'center', gap: 24 }}>
          <Skeleton width={`${28 + ((i * 7) % 16)}%`} />
          <Skeleton width="18%" />
          <Skeleton width="10%" />
        </div>
      ))}
    </div>
  );
}

export function ProblemCard({ error, what, safe, retry }: { error: unknown; what: string; safe?: string; retry?: () => void }) {
  const known = error instanceof ApiError ? error : null;
  const detail = known ? known.detail || known.title : String(error instanceof Error ? error.message : error);
  return (
    <div className="problem" role="alert">
      <h2>{what}</h2>
      <p className="muted">{[detail, safe].filter(Boolean).join(' ')}</p>
      {retry && (
        <button className="btn compact" onClick={retry}>
          <IconRefresh size={14} stroke={1.75} /> Try again
        </button>
      )}
      {known && (known.status > 0 || known.requestId) && (
        <details>
          <summary>Details</summary>
          <span className="mono">
            {known.status} {known.type} {known.requestId}
          </span>
        </details>
      )}
    </div>
  );
}

export function Empty({ title, todo, cli, children }: { title: string; todo: string; cli?: string; children?: ReactNode }) {
  return (
    <div className="card empty">
      <h2>{title}</h2>
      <p className="muted">{todo}</p>
      {children}
      {cli && <code className="mono cli">{cli}</code>}
    </div>
  );
}
