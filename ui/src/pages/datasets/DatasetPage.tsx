// One dataset version: what each rule took away, and was it right.
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { lazy, Suspense, type ReactNode } from 'react';
import { datasetVersionQuery, datasetVersionsQuery } from '../../api/datasets';
import type { DatasetVersion } from '../../api/queries';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { Page } from '../../components/Shell';
import { Tabs, type TabItem } from '../../components/Tabs';
import { When } from '../../components/When';
import './datasets.css';
import { OverviewTab } from './OverviewTab';
import { useDatasetSearch } from './search';
import { tabOf, type DatasetTab } from './tabs';

const FunnelTab = lazy(() => import('./FunnelTab'));
const RulesTab = lazy(() => import('./RulesTab'));
const SamplesTab = lazy(() => import('./SamplesTab'));
const ClustersTab = lazy(() => import('./ClustersTab'));
const VersionsTab = lazy(() => import('./VersionsTab'));

function content(tab: DatasetTab, version: DatasetVersion): ReactNode {
  switch (tab) {
    case 'overview':
      return <OverviewTab version={version} />;
    case 'funnel':
      return <FunnelTab version={version} />;
    case 'rules':
      return <RulesTab version={version} />;
    case 'samples':
      return <SamplesTab version={version} />;
    case 'clusters':
      return <ClustersTab version={version} />;
    case 'versions':
      return <VersionsTab version={version} />;
  }
}

function Head({ version }: { version: DatasetVersion }) {
  return (
    <header className="page-head">
      <h1>{version.name}</h1>
      <span className="tag">v{version.version}</span>
      <span className="small muted">
        built <When time={version.created_at} />
        {version.run_id && (
          <>
            {' by '}
            <Link to="/runs/$runId" params={{ runId: version.run_id }} className="link">
              its run
            </Link>
          </>
        )}
      </span>
    </header>
  );
}

function Parts({ version }: { version: DatasetVersion }) {
  const [search, change] = useDatasetSearch();
  const { data: versions } = useQuery(datasetVersionsQuery(version.name));
  const tab = tabOf(search);
  const items: TabItem<DatasetTab>[] = [
    { name: 'overview', label: 'Overview' },
    { name: 'funnel', label: 'Funnel' },
    { name: 'rules', label: 'Rules' },
    { name: 'samples', label: 'Samples' },
    { name: 'clusters', label: 'Duplicates' },
    { name: 'versions', label: 'Versions', count: versions && versions.length > 1 ? versions.length : undefined },
  ];
  return (
    <>
      <Tabs label="Parts of the dataset" items={items} value={tab} onChange={(name) => change({ tab: name })} />
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`}>
        <Suspense fallback={<SkeletonRows rows={8} />}>{content(tab, version)}</Suspense>
      </div>
    </>
  );
}

export function DatasetPage() {
  const { digest } = useParams({ from: '/app/datasets/$digest' });
  const { data: version, error, refetch } = useQuery(datasetVersionQuery(digest));
  const crumbs = [{ label: 'Datasets', to: '/datasets' }, { label: version ? `${version.name} v${version.version}` : 'Dataset' }];
  return (
    <Page crumbs={crumbs}>
      {!version && <h1>Dataset</h1>}
      {error && !version && <ProblemCard error={error} what="This dataset could not be loaded" retry={() => void refetch()} />}
      {!version && !error && <SkeletonRows rows={10} />}
      {version && (
        <>
          <Head version={version} />
          <Parts version={version} />
        </>
      )}
    </Page>
  );
}
