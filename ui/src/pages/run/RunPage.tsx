// One run: is it healthy, when is it done, did the automatic hand do right.
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { lazy, Suspense, type ReactNode } from 'react';
import { interventionsQuery, runQuery, seriesQuery, type Run } from '../../api/queries';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { Page } from '../../components/Shell';
import { Tabs } from '../../components/Tabs';
import { tabsOf, type TabName } from '../../figures/tabs';
import { ArtifactsTab } from './ArtifactsTab';
import { LogTab } from './LogTab';
import { RunHead } from './RunHead';
import { ProposalBar } from './ProposalBar';
import './run.css';
import { SummaryTab } from './SummaryTab';
import { StagesTab } from './StagesTab';

const CurvesTab = lazy(() => import('./CurvesTab'));
const ConfigTab = lazy(() => import('./ConfigTab'));
const ScoresTab = lazy(() => import('./ScoresTab'));
const FunnelTab = lazy(() => import('./FunnelTab'));

function content(tab: TabName, run: Run): ReactNode {
  switch (tab) {
    case 'curves':
      return <CurvesTab run={run} />;
    case 'stages':
      return <StagesTab run={run} />;
    case 'funnel':
      return <FunnelTab run={run} />;
    case 'scores':
      return <ScoresTab run={run} />;
    case 'log':
      return <LogTab key="log" runId={run.id} only="log" />;
    case 'events':
      return <LogTab key="events" runId={run.id} only="events" />;
    case 'config':
      return <ConfigTab run={run} />;
    case 'artifacts':
      return <ArtifactsTab run={run} />;
    case 'summary':
      return <SummaryTab run={run} />;
  }
}

function Parts({ run, tab }: { run: Run; tab: TabName }) {
  const navigate = useNavigate({ from: '/runs/$runId' });
  const { data: interventions } = useQuery(interventionsQuery(run.id));
  const { data: series } = useQuery(seriesQuery(run.id));
  const counts: Partial<Record<TabName, number>> = { curves: interventions?.length ?? 0, artifacts: run.artifacts.length, stages: run.children.length };
  const items = tabsOf(run.kind, (series?.length ?? 0) > 0).map((item) => ({ ...item, count: counts[item.name] || undefined }));
  return <Tabs label="Parts of the run" items={items} value={tab} onChange={(name) => void navigate({ search: (old) => ({ ...old, tab: name }), replace: true })} />;
}

export function RunPage() {
  const { runId } = useParams({ from: '/app/runs/$runId' });
  const search = useSearch({ from: '/app/runs/$runId' });
  const { data: run, error, refetch } = useQuery(runQuery(runId));
  const crumbs = [{ label: 'Runs', to: '/runs' }, { label: run?.name ?? 'Run' }];
  if (!run)
    return (
      <Page crumbs={crumbs}>
        <h1>Run</h1>
        {error ? <ProblemCard error={error} what="This run could not be loaded" retry={() => void refetch()} /> : <SkeletonRows rows={10} />}
      </Page>
    );
  const first = tabsOf(run.kind, true)[0]?.name ?? 'log';
  const tab = tabsOf(run.kind, true).find((item) => item.name === search.tab)?.name ?? first;
  return (
    <Page crumbs={crumbs}>
      <RunHead run={run} />
      <ProposalBar run={run} />
      <Parts run={run} tab={tab} />
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`}>
        <Suspense fallback={<SkeletonRows rows={8} />}>{content(tab, run)}</Suspense>
      </div>
    </Page>
  );
}
