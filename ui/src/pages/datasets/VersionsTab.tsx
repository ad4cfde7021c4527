// All versions of the dataset; choose one to compare this one with.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { datasetVersionsQuery } from '../../api/datasets';
import type { DatasetVersion } from '../../api/queries';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { When } from '../../components/When';
import { readFunnel } from '../../figures/funnel';
import { formatCount, formatDifference, formatPercent, MISSING } from '../../figures/numbers';
import { tokensOf } from '../../figures/statistics';
import { Compare } from './Compare';
import './compare.css';
import { useDatasetSearch } from './search';

const plain = (digest: string) => digest.replace('sha256:', '');

function VersionRow({ version, current, against, onCompare }: { version: DatasetVersion; current: DatasetVersion; against: boolean; onCompare: (digest: string | undefined) => void }) {
  const stages = readFunnel(version.statistics);
  const last = stages.at(-1);
  const [mine, its] = [tokensOf(current.statistics), tokensOf(version.statistics)];
  const own = version.digest === current.digest;
  const change = !own && mine && its ? its / mine - 1 : null;
  return (
    <tr aria-selected={own || against}>
      <td>
        <Link to="/datasets/$digest" params={{ digest: plain(version.digest) }} search={{ tab: 'versions' }} className="strong" aria-current={own ? 'true' : undefined}>
          v{version.version}
        </Link>
        {own && <span className="tag version-tag">this one</span>}
      </td>
      <td className="only-wide">
        <code className="mono muted">{plain(version.digest).slice(0, 12)}</code>
      </td>
      <td className="num">{last ? formatCount(last.left) : MISSING}</td>
      <td className="num">{formatCount(its)}</td>
      <td className="num muted only-wide">{change === null ? '' : `${formatDifference(change * 100, 1)}\u2009%`}</td>
      <td className="num muted only-wide">{last && stages[0] ? formatPercent(last.left / (stages[0].left + stages[0].dropped || 1)) : MISSING}</td>
      <td className="num muted only-wide">
        <When time={version.created_at} />
      </td>
      <td className="right">
        {!own && (
          <button className="btn compact" aria-pressed={against} onClick={() => onCompare(against ? undefined : plain(version.digest))}>
            {against ? 'Close' : 'Compare'}
          </button>
        )}
      </td>
    </tr>
  );
}

export default function VersionsTab({ version }: { version: DatasetVersion }) {
  const [search, change] = useDatasetSearch();
  const { data, error, refetch } = useQuery(datasetVersionsQuery(version.name));
  if (error && !data) return <ProblemCard error={error} what="The versions could not be loaded" retry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={4} />;
  const against = search.against;
  return (
    <div className="stack">
      <section className="card table-wrap" aria-label="Versions">
        <table className="table">
          <thead>
            <tr>
              <th>Version</th>
              <th className="only-wide">Digest</th>
              <th className="right">Documents</th>
              <th className="right">Tokens</th>
              <th className="right only-wide">to this one</th>
              <th className="right only-wide">Kept</th>
              <th className="right only-wide">Built</th>
              <th>
                <span className="visually-hidden">Compare</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {data.map((item) => (
              <VersionRow key={item.digest} version={item} current={version} against={plain(item.digest) === against} onCompare={(digest) => change({ against: digest })} />
            ))}
          </tbody>
        </table>
      </section>
      {data.length === 1 && <p className="small muted">The only version so far. A launch with another recipe or other input makes the next; then the two can be compared here.</p>}
      {against && against !== plain(version.digest) && <Compare left={against} right={plain(version.digest)} />}
    </div>
  );
}
