// All datasets, each with its newest version.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { datasetsQuery } from '../../api/datasets';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { Page } from '../../components/Shell';
import { When } from '../../components/When';
import { readFunnel, readLanguages } from '../../figures/funnel';
import { formatCount, formatPercent, MISSING } from '../../figures/numbers';
import { tokensOf } from './figures';

export function DatasetsPage() {
  const { data, error, refetch } = useQuery(datasetsQuery);
  return (
    <Page crumbs={[{ label: 'Datasets' }]}>
      <div className="page-head">
        <h1>Datasets</h1>
      </div>
      {error && !data && <ProblemCard error={error} what="The datasets could not be loaded" retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows />}
      {data?.length === 0 && (
        <Empty title="No datasets yet" todo="A curation run turns raw documents into a dataset; each version stands here with what every rule dropped." cli="headrace launch --preset debian-docs">
          <Link to="/launch" search={{ preset: undefined }} className="btn primary">
            Launch a curation run
          </Link>
        </Empty>
      )}
      {data && data.length > 0 && (
        <div className="card table-wrap">
          <table className="table">
            <thead>
              <tr>
                <th>Dataset</th>
                <th className="right">Version</th>
                <th className="right">Documents</th>
                <th className="right only-wide">Kept</th>
                <th className="right">Tokens</th>
                <th className="right only-wide">Languages</th>
                <th className="right">Built</th>
              </tr>
            </thead>
            <tbody>
              {data.map((version) => {
                const stages = readFunnel(version.statistics);
                const [first, last] = [stages[0], stages.at(-1)];
                const read = first ? first.left + first.dropped : 0;
                return (
                  <tr key={version.digest}>
                    <td>
                      <Link to="/datasets/$digest" params={{ digest: version.digest.replace('sha256:', '') }} className="strong">
                        {version.name}
                      </Link>
                    </td>
                    <td className="num">v{version.version}</td>
                    <td className="num">{last ? formatCount(last.left) : MISSING}</td>
                    <td className="num only-wide">{last && read ? formatPercent(last.left / read) : MISSING}</td>
                    <td className="num">{formatCount(tokensOf(version))}</td>
                    <td className="num only-wide muted">{readLanguages(version.statistics).map((share) => share.language).join(' ') || MISSING}</td>
                    <td className="num muted">
                      <When time={version.created_at} />
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </Page>
  );
}
