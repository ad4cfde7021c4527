// Near-duplicates side by side: the kept one, and what was dropped for it, differing words marked.
import { useHotkeys } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { ApiError } from '../../api/client';
import { clustersQuery, type Cluster } from '../../api/curation';
import type { DatasetVersion } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { PlainText } from '../../components/PlainText';
import { formatCount } from '../../figures/numbers';
import { spellLanguage } from '../../figures/words';
import './clusters.css';
import { SideBySide } from './SideBySide';
import { titleOf } from './SampleList';
import { useDatasetSearch } from './search';

/** The kept one first, then by similarity. */
export function orderMembers(cluster: Cluster): Cluster['members'] {
  return [...cluster.members].sort((a, b) => Number(b.kept) - Number(a.kept) || (b.similarity ?? 0) - (a.similarity ?? 0));
}

function ClusterList({ clusters, chosen, onChoose }: { clusters: Cluster[]; chosen: number; onChoose: (index: number) => void }) {
  return (
    <ul className="sample-list" aria-label="Clusters">
      {clusters.map((cluster, i) => (
        <li key={cluster.cluster_id}>
          <button aria-pressed={i === chosen} onClick={() => onChoose(i)}>
            <span className="row">
              <b className="clip" dir="auto">
                <PlainText text={titleOf(orderMembers(cluster)[0]?.text ?? '')} />
              </b>
              <span className="push num">{formatCount(cluster.size)}</span>
            </span>
            <span className="row tiny muted">
              <span>{spellLanguage(cluster.language)}</span>
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

export default function ClustersTab({ version }: { version: DatasetVersion }) {
  const [search, change] = useDatasetSearch();
  const query = useInfiniteQuery(clustersQuery(version.digest));
  const clusters = query.data?.pages.flatMap((page) => page.items) ?? [];
  const chosen = Math.min(search.cluster ?? 0, Math.max(0, clusters.length - 1));
  const cluster = clusters[chosen];
  const dropped = cluster ? orderMembers(cluster).slice(1) : [];
  const member = Math.min(search.member ?? 0, Math.max(0, dropped.length - 1));
  const choose = (index: number) => change({ cluster: Math.max(0, Math.min(clusters.length - 1, index)), member: undefined });
  const chooseMember = (index: number) => change({ member: Math.max(0, Math.min(dropped.length - 1, index)) });
  useHotkeys([
    ['j', () => choose(chosen + 1)],
    ['k', () => choose(chosen - 1)],
    ['l', () => chooseMember(member + 1)],
    ['h', () => chooseMember(member - 1)],
  ]);
  const absent = query.error instanceof ApiError && query.error.status === 404;
  if (query.error && !query.data && !absent) return <ProblemCard error={query.error} what="The duplicates could not be loaded" retry={() => void query.refetch()} />;
  if (query.isPending) return <SkeletonRows rows={8} />;
  if (!cluster)
    return <Empty title="No duplicates to show" todo={absent ? 'This version was made without clusters. Curate it anew to see them.' : 'Deduplication found no two documents alike, or it was switched off.'} />;
  return (
    <section className="card samples" aria-label="Duplicates">
      <div className="card-head sample-head">
        <h2>Duplicates</h2>
        <span className="small muted">
          {clusters.length}
          {query.hasNextPage ? ' and more' : ''} clusters: the largest, and an even sample of the rest
        </span>
        <span className="push tiny muted only-wide">
          <kbd>j</kbd> <kbd>k</kbd> cluster <kbd>h</kbd> <kbd>l</kbd> document
        </span>
      </div>
      <div className="sample-layout cluster-layout">
        <div>
          <ClusterList clusters={clusters} chosen={chosen} onChoose={choose} />
          {query.hasNextPage && (
            <button className="btn ghost compact more" onClick={() => void query.fetchNextPage()} disabled={query.isFetchingNextPage}>
              Load more
            </button>
          )}
        </div>
        <SideBySide key={cluster.cluster_id} cluster={cluster} members={orderMembers(cluster)} chosen={member} onChoose={chooseMember} />
      </div>
    </section>
  );
}
