// Pools and their workers: who is there, what waits, how one more joins.
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Schemas } from '../../api/client';
import { runsQuery, workersQuery } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { useKeys } from '../../components/keys';
import { moveFocus } from '../../components/rows';
import { Page } from '../../components/Shell';
import { When } from '../../components/When';
import { joinCommand, poolsOf, type Pool } from '../../figures/needs';
import { formatFigure, MISSING } from '../../figures/numbers';
import { spellOut } from '../../figures/words';
import './workers.css';

type Worker = Schemas['Worker'];

function resourcesOf(resources: Record<string, unknown>): string {
  return Object.entries(resources)
    .filter(([, value]) => typeof value === 'number' || typeof value === 'string')
    .map(([key, value]) => `${spellOut(key).toLowerCase()} ${typeof value === 'number' ? formatFigure(value) : String(value)}`)
    .join(' · ');
}

function WorkerState({ state }: { state: Worker['state'] }) {
  return (
    <span className={`row ${state === 'online' ? 'is-completed' : 'muted'}`}>
      <span className="dot" style={{ background: state === 'online' ? 'var(--completed)' : 'transparent', boxShadow: 'inset 0 0 0 1.5px currentColor' }} />
      {spellOut(state)}
    </span>
  );
}

/** What a pool says at its head: a pool that runs wait for in vain says so. */
function PoolWords({ pool }: { pool: Pool<Worker> }) {
  const waits = pool.online === 0 && pool.queued > 0;
  return (
    <span className={`small ${waits ? 'is-failed' : 'muted'}`}>
      {waits ? `${pool.queued === 1 ? 'A run waits' : `${pool.queued} runs wait`}, and no worker is online` : [`${pool.online} of ${pool.workers.length} online`, pool.running ? `${pool.running} running` : '', pool.queued ? `${pool.queued} queued` : ''].filter(Boolean).join(' · ')}
    </span>
  );
}

function PoolCard({ pool }: { pool: Pool<Worker> }) {
  return (
    <section className="card" aria-label={`Pool ${pool.name}`}>
      <div className="card-head">
        <h2>{pool.name}</h2>
        <PoolWords pool={pool} />
      </div>
      {pool.workers.length > 0 && (
        <div className="table-wrap">
          <table className="table workers-table">
            <thead>
              <tr>
                <th>State</th>
                <th>Worker</th>
                <th>Host</th>
                <th className="only-wide">Resources</th>
                <th className="only-wide">Version</th>
                <th className="right">Last seen</th>
              </tr>
            </thead>
            <tbody>
              {pool.workers.map((worker) => (
                <tr key={worker.id} tabIndex={-1} data-row={worker.id}>
                  <td>
                    <WorkerState state={worker.state} />
                  </td>
                  <td className="strong worker-name">{worker.name}</td>
                  <td className="clip worker-host">{worker.host}</td>
                  <td className="muted only-wide worker-wide">{resourcesOf(worker.resources) || MISSING}</td>
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
    </section>
  );
}

function Join({ pools }: { pools: readonly string[] }) {
  const [pool, setPool] = useState(pools[0] ?? 'cpu');
  const [copied, setCopied] = useState('');
  const command = joinCommand(pool, window.location.origin);
  return (
    <section className="card" aria-label="Join a worker">
      <div className="card-head">
        <h2>Join a worker</h2>
        <span className="small muted">on this machine or another one that reaches this address</span>
      </div>
      <div className="card-body stack">
        <div className="row join-line">
          <select className="field-input join-pool" aria-label="Pool" value={pool} onChange={(event) => setPool(event.target.value)}>
            {[...new Set([...pools, 'cpu', 'gpu'])].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <code className="mono cli join-command">{command}</code>
          <button className="btn icon" aria-label="Copy the command" title="Copy" onClick={() => void navigator.clipboard.writeText(command).then(() => setCopied(command))}>
            {copied === command ? <IconCheck size={14} stroke={1.75} /> : <IconCopy size={14} stroke={1.75} />}
          </button>
        </div>
        <p className="small muted">
          The token is one of role worker: <code className="mono">headrace tokens create NAME --role worker</code> makes it and shows it once.
        </p>
      </div>
    </section>
  );
}

export function WorkersPage() {
  const workers = useQuery(workersQuery);
  const runs = useQuery(runsQuery);
  useKeys([
    ['j', () => moveFocus(1)],
    ['k', () => moveFocus(-1)],
  ]);
  const pools = poolsOf(workers.data?.items ?? [], runs.data ?? []);
  return (
    <Page crumbs={[{ label: 'Workers' }]}>
      <div className="page-head">
        <h1>Workers</h1>
      </div>
      {workers.error && !workers.data && <ProblemCard error={workers.error} what="The workers could not be loaded" safe="Running work goes on." retry={() => void workers.refetch()} />}
      {!workers.data && !workers.error && <SkeletonRows rows={3} />}
      {workers.data?.items.length === 0 && <Empty title="No workers yet" todo="Runs wait until a worker joins. Start one on this or any other machine." cli="headrace worker --pool cpu" />}
      {workers.data && pools.map((pool) => <PoolCard key={pool.name} pool={pool} />)}
      {workers.data && <Join pools={pools.map((pool) => pool.name)} />}
    </Page>
  );
}
