// All datasets, each with its newest version and how it grew.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { datasetsQuery, datasetVersionsQuery } from '../../api/datasets';
import type { DatasetVersion } from '../../api/queries';
import { Sparkline } from '../../charts/Sparkline';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { Page } from '../../components/Shell';
import { When } from '../../components/When';
import { funnelSources, readFunnel } from '../../figures/funnel';
import { formatCount, formatPercent, MISSING } from '../../figures/numbers';
import { languageFigures, tokensOf } from '../../figures/statistics';
import { spellLanguage } from '../../figures/words';
import './datasets.css';

/** Tokens of its versions, the oldest first. */
function History({ version }: { version: DatasetVersion }) {
  const { data } = useQuery({ ...datasetVersionsQuery(version.name), enabled: version.version > 1 });
  const values = (data ?? []).map((item) => tokensOf(item.statistics)).filter((value) => value !== null);
  if (values.length < 2) return <>{version.version > 1 ? '' : <span className="muted">first</span>}</>;
  return <Sparkline values={values.reverse()} width={72} height={20} label={`Tokens of ${values.length} versions: ${values.map((value) => formatCount(value)).join(', ')}`} />;
}

const MAX_LANGUAGES = 6;

function Languages({ statistics }: { statistics: unknown }) {
  const rows = languageFigures(statistics);
  if (rows.length === 0) return <>{MISSING}</>;
  return (
    <span className="row language-tags">
      {rows.slice(0, MAX_LANGUAGES).map((row) => (
        <span key={row.language} className="tag" title={`${spellLanguage(row.language)}: ${formatCount(row.documents)} documents`}>
          {row.language}
        </span>
      ))}
      {rows.length > MAX_LANGUAGES && <span className="tiny muted">+{rows.length - MAX_LANGUAGES}</span>}
    </span>
  );
}

function sourcesOf(statistics: unknown): { text: string; title: string } {
  const names = funnelSources(statistics).map((row) => row.source);
  if (names.length === 0) return { text: MISSING, title: '' };
  return { text: names.length === 1 ? (names[0] ?? '') : `${names.length}`, title: names.join('\n') };
}

function Row({ version }: { version: DatasetVersion }) {
  const stages = readFunnel(version.statistics);
  const [first, last] = [stages[0], stages.at(-1)];
  const read = first ? first.left + first.dropped : 0;
  const sources = sourcesOf(version.statistics);
  return (
    <tr>
      <td className="dataset-name">
        <Link to="/datasets/$digest" params={{ digest: version.digest.replace('sha256:', '') }} className="strong clip" title={version.name}>
          {version.name}
        </Link>
      </td>
      <td className="num">v{version.version}</td>
      <td className="only-wide">
        <History version={version} />
      </td>
      <td className="num only-wide">{last ? formatCount(last.left) : MISSING}</td>
      <td className="num only-wide">{last && read ? formatPercent(last.left / read) : MISSING}</td>
      <td className="num">{formatCount(tokensOf(version.statistics))}</td>
      <td className="only-wide">
        <Languages statistics={version.statistics} />
      </td>
      <td className="num muted only-wide" title={sources.title}>
        <span className="clip source-count">{sources.text}</span>
      </td>
      <td className="num muted">
        <When time={version.created_at} />
      </td>
    </tr>
  );
}

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
          <table className="table dataset-table">
            <thead>
              <tr>
                <th>Dataset</th>
                <th className="right">Version</th>
                <th className="only-wide">History</th>
                <th className="right only-wide">Documents</th>
                <th className="right only-wide">Kept</th>
                <th className="right">Tokens</th>
                <th className="only-wide">Languages</th>
                <th className="right only-wide">Sources</th>
                <th className="right">Built</th>
              </tr>
            </thead>
            <tbody>
              {data.map((version) => (
                <Row key={version.digest} version={version} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Page>
  );
}
