// What runs, what needs a person, what came out.
import { IconDatabase, IconPlus, IconRocket } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { attentionQuery, runsQuery, workersQuery, type RunSummary } from '../../api/queries';
import { Facts } from '../../components/Facts';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { useKeys } from '../../components/keys';
import { moveFocus } from '../../components/rows';
import { Page } from '../../components/Shell';
import { groupOf } from '../../figures/groups';
import { poolsOf } from '../../figures/needs';
import { Needs } from './Needs';
import './overview.css';
import { Pools } from './Pools';
import { Results } from './Results';
import { RunningNow } from './RunningNow';

function First({ hasWorker }: { hasWorker: boolean }) {
  return (
    <div className="stack">
      <Empty
        title="Nothing has run yet"
        todo={
          hasWorker
            ? 'A pipeline goes from raw documents to a small model: dataset, training, evaluation, release. Its small preset takes some minutes on a laptop.'
            : 'First a worker has to join: it does the work. Then launch a pipeline, from raw documents to a small model.'
        }
        cli={hasWorker ? 'headrace launch --preset pipeline' : 'headrace worker --pool cpu'}
      >
        <span className="row wrap">
          <Link to="/launch" search={{ preset: 'pipeline' }} className="btn primary">
            <IconRocket size={14} stroke={1.75} /> Launch the first pipeline
          </Link>
          <Link to="/launch" className="btn">
            <IconPlus size={14} stroke={1.75} /> Choose a preset
          </Link>
          <Link to="/datasets" className="btn">
            <IconDatabase size={14} stroke={1.75} /> Datasets
          </Link>
        </span>
      </Empty>
    </div>
  );
}

function Figures({ runs, needs, workers }: { runs: RunSummary[]; needs: number; workers: { online: number; all: number } }) {
  const count = (test: (run: RunSummary) => boolean) => runs.filter(test).length;
  return (
    <Facts
      facts={[
        { name: 'Running', value: count((run) => run.state === 'running') },
        { name: 'Queued', value: count((run) => groupOf(run) === 'Queued') },
        { name: 'Need you', value: needs },
        { name: 'Finished', value: count((run) => run.finished_at !== null) },
        { name: 'Workers', value: workers.online, note: workers.all > workers.online ? `of ${workers.all}` : undefined },
      ]}
    />
  );
}

export function OverviewPage() {
  const runs = useQuery(runsQuery);
  const attention = useQuery(attentionQuery);
  const workers = useQuery(workersQuery);
  useKeys([
    ['j', () => moveFocus(1)],
    ['k', () => moveFocus(-1)],
  ]);
  const all = workers.data?.items ?? [];
  const online = all.filter((worker) => worker.state === 'online').length;
  const proposals = attention.data?.proposals ?? [];
  const ready = runs.data !== undefined && (attention.data !== undefined || attention.error !== null);
  return (
    <Page crumbs={[{ label: 'Overview' }]}>
      <div className="page-head">
        <h1>Overview</h1>
        <span className="push" />
        {runs.data && runs.data.length > 0 && (
          <Link to="/launch" className="btn primary">
            <IconPlus size={14} stroke={1.75} /> Launch run
          </Link>
        )}
      </div>
      {runs.error && !runs.data && <ProblemCard error={runs.error} what="The runs could not be loaded" safe="Running work goes on." retry={() => void runs.refetch()} />}
      {!ready && !runs.error && <SkeletonRows rows={8} height={44} />}
      {ready && runs.data?.length === 0 && <First hasWorker={online > 0} />}
      {ready && runs.data && runs.data.length > 0 && (
        <Needs runs={runs.data} findings={attention.data?.findings ?? []} proposals={proposals} error={attention.error}>
          {(needs, list) => (
            <>
              <Figures runs={runs.data} needs={needs} workers={{ online, all: all.length }} />
              <div className="overview-grid">
                <div className="stack">
                  {list}
                  <RunningNow runs={runs.data} />
                </div>
                <div className="stack">
                  <Pools pools={poolsOf(all, runs.data)} loading={workers.data === undefined} />
                  <Results runs={runs.data} />
                </div>
              </div>
            </>
          )}
        </Needs>
      )}
    </Page>
  );
}
