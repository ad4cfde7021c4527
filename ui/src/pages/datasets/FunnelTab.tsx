// The funnel at full width; a rule leads to its documents.
import { useQuery } from '@tanstack/react-query';
import { histogramsQuery } from '../../api/curation';
import type { DatasetVersion } from '../../api/queries';
import { Empty } from '../../components/feedback';
import { Funnel } from '../../components/Funnel';
import { readFunnel } from '../../figures/funnel';
import { ratesOf } from '../../figures/statistics';
import { useDatasetSearch } from './search';

export default function FunnelTab({ version }: { version: DatasetVersion }) {
  const [search, change] = useDatasetSearch();
  const { data: histograms } = useQuery(histogramsQuery(version.digest));
  if (readFunnel(version.statistics).length === 0) return <Empty title="No funnel" todo="This version was imported, not curated here: no rule judged its documents." />;
  return (
    <Funnel
      statistics={version.statistics}
      rates={ratesOf(version.statistics, histograms)}
      view={search}
      onView={(view) => change({ language: view.language, source: view.source, by: view.by })}
      selected={search.rule}
      onSelect={(rule) => change({ tab: 'samples', rule, verdict: undefined, sample: undefined })}
    />
  );
}
