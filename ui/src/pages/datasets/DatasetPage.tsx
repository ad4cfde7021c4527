// One dataset version: what each rule took away, and was it right.
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { datasetVersionQuery, datasetVersionsQuery } from '../../api/datasets';
import type { DatasetVersion } from '../../api/queries';
import { Facts } from '../../components/Facts';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { Funnel } from '../../components/Funnel';
import { Page } from '../../components/Shell';
import { When } from '../../components/When';
import { readFunnel, readLanguages } from '../../figures/funnel';
import { formatBytes, formatCount, formatPercent, formatStep } from '../../figures/numbers';
import { spellLanguage } from '../../figures/words';
import './datasets.css';
import { tokensByLanguage, tokensOf } from './figures';
import { Samples } from './Samples';

const SLOTS = ['--s1', '--s7', '--s3', '--s5', '--s4', '--s6', '--s2', '--s8'];

function Languages({ version }: { version: DatasetVersion }) {
  const shares = readLanguages(version.statistics);
  if (shares.length === 0) return null;
  const tokens = tokensByLanguage(version);
  const byTokens = shares.every((share) => tokens[share.language] !== undefined);
  const size = (share: (typeof shares)[number]) => (byTokens ? (tokens[share.language] ?? 0) : share.bytes || share.documents);
  const total = shares.reduce((sum, share) => sum + size(share), 0) || 1;
  return (
    <section className="card" aria-label="Languages">
      <div className="card-head">
        <h2>Languages</h2>
        <span className="small muted">share of kept {byTokens ? 'tokens' : 'text'}</span>
      </div>
      <div className="card-body">
        <div className="share-bar" aria-hidden>
          {shares.map((share, i) => (
            <i key={share.language} style={{ width: `${(size(share) / total) * 100}%`, background: `var(${SLOTS[i % SLOTS.length]})` }} />
          ))}
        </div>
        <ul className="share-list small">
          {shares.map((share, i) => (
            <li key={share.language} className="row">
              <span className="dot square" style={{ background: `var(${SLOTS[i % SLOTS.length]})` }} />
              {spellLanguage(share.language)} <b className="num">{formatPercent(size(share) / total)}</b>
              <span className="muted num">{formatCount(share.documents)} docs</span>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function Versions({ current }: { current: DatasetVersion }) {
  const { data } = useQuery(datasetVersionsQuery(current.name));
  if (!data) return null;
  return (
    <section className="card" aria-label="Versions">
      <div className="card-head">
        <h2>Versions</h2>
        <span className="small muted">{data.length === 1 ? 'the only one' : `${data.length}, each immutable`}</span>
      </div>
      <ul className="version-list">
        {data.map((version) => (
          <li key={version.digest}>
            <Link to="/datasets/$digest" params={{ digest: version.digest.replace('sha256:', '') }} aria-current={version.digest === current.digest ? 'true' : undefined}>
              <b>v{version.version}</b>
              <span className="mono muted">{version.digest.replace('sha256:', '').slice(0, 10)}</span>
              <span className="push num">{formatCount(tokensOf(version))} tokens</span>
              <span className="muted small">
                <When time={version.created_at} />
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Head({ version }: { version: DatasetVersion }) {
  const stages = readFunnel(version.statistics);
  const [first, last] = [stages[0], stages.at(-1)];
  const read = first ? first.left + first.dropped : 0;
  const bytes = version.files.reduce((sum, file) => sum + (typeof file['num_bytes'] === 'number' ? file['num_bytes'] : 0), 0);
  return (
    <header className="stack">
      <div className="page-head">
        <h1>{version.name}</h1>
        <span className="tag">v{version.version}</span>
        <span className="small muted">
          built <When time={version.created_at} />
          {version.run_id && (
            <>
              {' '}
              by{' '}
              <Link to="/runs/$runId" params={{ runId: version.run_id }} className="link">
                its run
              </Link>
            </>
          )}
        </span>
      </div>
      <Facts
        facts={[
          { name: 'Documents', value: formatCount(last?.left), note: `of ${formatCount(read)}` },
          { name: 'Kept', value: read ? formatPercent((last?.left ?? 0) / read) : '' },
          { name: 'Tokens', value: formatCount(tokensOf(version)) },
          { name: 'Files', value: formatStep(version.files.length), note: formatBytes(bytes) },
          { name: 'Digest', value: <code className="mono">{version.digest.replace('sha256:', '').slice(0, 12)}</code> },
        ]}
      />
    </header>
  );
}

export function DatasetPage() {
  const { digest } = useParams({ from: '/app/datasets/$digest' });
  const { rule } = useSearch({ from: '/app/datasets/$digest' });
  const navigate = useNavigate({ from: '/datasets/$digest' });
  const { data: version, error, refetch } = useQuery(datasetVersionQuery(digest));
  const crumbs = [{ label: 'Datasets', to: '/datasets' }, { label: version ? `${version.name} v${version.version}` : 'Dataset' }];
  return (
    <Page crumbs={crumbs}>
      {error && !version && <ProblemCard error={error} what="This dataset could not be loaded" retry={() => void refetch()} />}
      {!version && !error && <SkeletonRows rows={10} />}
      {version && (
        <>
          <Head version={version} />
          <div className="dataset-layout">
            <div className="stack">
              <Funnel
                statistics={version.statistics}
                selected={rule}
                onSelect={(next) => void navigate({ search: (old) => ({ ...old, rule: next, kept: undefined, sample: undefined }), replace: true })}
              />
              <Languages version={version} />
              <Versions current={version} />
            </div>
            <Samples digest={digest} statistics={version.statistics} />
          </div>
        </>
      )}
    </Page>
  );
}
