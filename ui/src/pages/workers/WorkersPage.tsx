// The workers: who is there, and what it can run.
import { useQuery } from '@tanstack/react-query';
import { workersQuery } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { Page } from '../../components/Shell';
import { When } from '../../components/When';
import { formatFigure, MISSING } from '../../figures/numbers';
import { spellOut } from '../../figures/words';

function resourcesOf(resources: Record<string, unknown>): string {
  return Object.entries(resources)
    .filter(([, value]) => typeof value === 'number' || typeof value === 'string')
    .map(([key, value]) => `${spellOut(key).toLowerCase()} ${typeof value === 'number' ? formatFigure(value) : String(value)}`)
    .join(' · ');
}

export function WorkersPage() {
  const { data, error, refetch } = useQuery(workersQuery);
  return (
    <Page crumbs={[{ label: 'Workers' }]}>
      <div className="page-head">
        <h1>Workers</h1>
      </div>
      {error && !data && <ProblemCard error={error} what="The workers could not be loaded" safe="Running work goes on." retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows rows={3} />}
      {data?.items.length === 0 && <Empty title="No workers yet" todo="Runs wait until a worker joins. Start one on this or any other machine." cli="headrace worker --pool cpu" />}
      {data && data.items.length > 0 && (
        <div className="card table-wrap">
          <table className="table">
            <thead>
              <tr>
                <th>State</th>
                <th>Worker</th>
                <th>Pool</th>
                <th>Host</th>
                <th className="only-wide">Resources</th>
                <th className="only-wide">Version</th>
                <th className="right">Last seen</th>
              </tr>
            </thead>
            <tbody>
              {data.items.map((worker) => (
                <tr key={worker.id}>
                  <td>
                    <span className={`row ${worker.state === 'online' ? 'is-completed' : 'muted'}`}>
                      <span className="dot" style={{ background: worker.state === 'online' ? 'var(--completed)' : 'transparent', boxShadow: 'inset 0 0 0 1.5px currentColor' }} />
                      {spellOut(worker.state)}
                    </span>
                  </td>
                  <td className="strong">{worker.name}</td>
                  <td>{worker.pool}</td>
                  <td>{worker.host}</td>
                  <td className="muted only-wide">{resourcesOf(worker.resources) || MISSING}</td>
                  <td className="muted only-wide">{worker.version}</td>
                  <td className="num muted">
                    <When time={worker.last_seen_at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Page>
  );
}
