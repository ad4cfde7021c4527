// The funnel of a curation run, once its dataset is there.
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { datasetVersionQuery } from '../../api/datasets';
import type { Run } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { Funnel } from '../../components/Funnel';
import { isTerminal } from '../../components/state';
import { readFunnel } from '../../figures/funnel';
import type { FunnelView } from '../../figures/funnelRows';
import { ratesOf } from '../../figures/statistics';

export default function FunnelTab({ run }: { run: Run }) {
  const navigate = useNavigate();
  const [view, setView] = useState<FunnelView>({});
  const artifact = run.artifacts.find((item) => item.kind === 'dataset');
  const digest = artifact?.digest.replace('sha256:', '') ?? '';
  const { data, error, refetch } = useQuery({ ...datasetVersionQuery(digest), enabled: digest !== '' });
  const statistics = data?.statistics ?? run.summary;
  if (error && !data) return <ProblemCard error={error} what="The dataset could not be loaded" retry={() => void refetch()} />;
  if (digest && !data) return <SkeletonRows rows={8} />;
  if (readFunnel(statistics).length === 0)
    return (
      <Empty
        title={isTerminal(run.state) ? 'This run left no dataset' : 'The funnel is counted at the end'}
        todo={isTerminal(run.state) ? 'The log says why.' : 'What each rule dropped stands here when the dataset is whole; the log and the bar above show how far it is.'}
      />
    );
  return (
    <div className="funnel-layout">
      <Funnel
        statistics={statistics}
        rates={ratesOf(statistics)}
        view={view}
        onView={setView}
        selected={undefined}
        onSelect={digest ? (rule) => void navigate({ to: '/datasets/$digest', params: { digest }, search: { tab: 'samples', rule } }) : undefined}
        aside={
          digest && (
            <Link to="/datasets/$digest" params={{ digest }} className="link small">
              Kept and dropped documents
            </Link>
          )
        }
      />
    </div>
  );
}
