// The version at a glance: its size, its languages, its sources, what took most, and what it was made of.
import type { DatasetVersion } from '../../api/queries';
import { Facts, type Fact } from '../../components/Facts';
import { countOf, funnelSources, readFunnel } from '../../figures/funnel';
import { formatBytes, formatCount, formatPercent, formatStep, MISSING } from '../../figures/numbers';
import { languageFigures, tokensOf } from '../../figures/statistics';
import { spellOut, spellRule } from '../../figures/words';
import { LanguageCard } from './LanguageCard';
import { useDatasetSearch } from './search';

type Table = Record<string, unknown>;
const table = (value: unknown): Table => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : {});

function factsOf(version: DatasetVersion): Fact[] {
  const stages = readFunnel(version.statistics);
  const [first, last] = [stages[0], stages.at(-1)];
  const read = first ? first.left + first.dropped : 0;
  const languages = languageFigures(version.statistics);
  const words = languages.reduce((sum, row) => sum + (row.words ?? 0), 0);
  const bytes = version.files.reduce((sum, file) => sum + (typeof file['num_bytes'] === 'number' ? file['num_bytes'] : 0), 0);
  return [
    { name: 'Documents', value: formatCount(last?.left), note: `of ${formatCount(read)} read` },
    { name: 'Kept', value: read ? formatPercent((last?.left ?? 0) / read) : MISSING },
    { name: 'Tokens', value: formatCount(tokensOf(version.statistics)) },
    ...(words > 0 ? [{ name: 'Words', value: formatCount(words) }] : []),
    ...(last?.bytes ? [{ name: 'Text', value: formatBytes(last.bytes) }] : []),
    { name: 'Files', value: formatStep(version.files.length), note: formatBytes(bytes) },
    { name: 'Digest', value: <code className="mono">{version.digest.replace('sha256:', '').slice(0, 12)}</code> },
  ];
}

function Sources({ statistics }: { statistics: unknown }) {
  const [, change] = useDatasetSearch();
  const sources = funnelSources(statistics);
  if (sources.length === 0) return null;
  const most = Math.max(1, ...sources.map((source) => source.read));
  return (
    <section className="card" aria-label="Sources">
      <div className="card-head">
        <h2>Sources</h2>
        <span className="small muted">documents kept of those read</span>
      </div>
      <table className="table plain-table">
        <thead>
          <tr>
            <th>Source</th>
            <th className="only-wide">
              <span className="visually-hidden">Share</span>
            </th>
            <th className="right">Kept</th>
            <th className="right">of</th>
            <th className="right">Share</th>
          </tr>
        </thead>
        <tbody>
          {sources.map((row) => (
            <tr key={row.source}>
              <td className="clip source-name">
                <button className="funnel-name" title={row.source} onClick={() => change({ tab: 'funnel', source: row.source, language: undefined })}>
                  {row.source}
                </button>
              </td>
              <td className="only-wide">
                <span className="funnel-bar" aria-hidden>
                  <i style={{ width: `${(row.kept / most) * 100}%` }} />
                  <i className="dropped" style={{ width: `${(Math.max(0, row.read - row.kept) / most) * 100}%` }} />
                </span>
              </td>
              <td className="num strong">{formatCount(row.kept)}</td>
              <td className="num muted">{formatCount(row.read)}</td>
              <td className="num muted">{row.read ? formatPercent(row.kept / row.read) : MISSING}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const TOP = 6;

function WorstRules({ statistics }: { statistics: unknown }) {
  const [, change] = useDatasetSearch();
  const rules = readFunnel(statistics)
    .flatMap((stage) => stage.rules)
    .sort((a, b) => b.dropped - a.dropped);
  if (rules.length === 0) return null;
  const most = rules[0]?.dropped ?? 1;
  return (
    <section className="card" aria-label="Rules that dropped most">
      <div className="card-head">
        <h2>Rules that dropped most</h2>
        <span className="push" />
        <button className="link small plain" onClick={() => change({ tab: 'funnel' })}>
          All {rules.length}
        </button>
      </div>
      <ul className="worst-rules">
        {rules.slice(0, TOP).map((rule) => {
          const { group, part } = spellRule(rule.rule);
          return (
            <li key={rule.rule}>
              <button onClick={() => change({ tab: 'samples', rule: rule.rule, verdict: undefined, sample: undefined })}>
                <span className="clip">
                  {group}
                  {part && <span className="muted"> {part.toLowerCase()}</span>}
                </span>
                <i aria-hidden style={{ width: `${(rule.dropped / most) * 100}%` }} />
                <b className="num">{formatCount(rule.dropped)}</b>
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** Plain values of the lineage, one level deep: `input.num_files`. */
function lineageOf(lineage: Table): [string, string][] {
  const write = (value: unknown) => (typeof value === 'number' ? formatStep(value) : String(value).replace('sha256:', ''));
  return Object.entries(lineage).flatMap(([name, value]): [string, string][] => {
    if (typeof value !== 'object' || value === null) return [[spellOut(name), write(value)]];
    if (Array.isArray(value)) return [[spellOut(name), value.map(write).join(', ')]];
    return Object.entries(value)
      .filter(([, inner]) => typeof inner !== 'object')
      .map(([inner, v]) => [`${spellOut(name)}: ${spellOut(inner).toLowerCase()}`, write(v)]);
  });
}

function Origin({ version }: { version: DatasetVersion }) {
  const rows = lineageOf(version.lineage);
  const rejects = Object.entries(table(version.statistics['rejects'])).filter(([, n]) => countOf(n) > 0);
  if (rows.length === 0 && rejects.length === 0) return null;
  return (
    <section className="card" aria-label="Origin">
      <div className="card-head">
        <h2>Origin</h2>
        <span className="small muted">equal input and recipe give an equal digest</span>
      </div>
      <dl className="card-body origin">
        {rejects.map(([reason, n]) => (
          <div key={reason}>
            <dt>Unreadable: {spellOut(reason).toLowerCase()}</dt>
            <dd className="num">{formatCount(countOf(n))}</dd>
          </div>
        ))}
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="mono clip" title={value}>
              {value}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function OverviewTab({ version }: { version: DatasetVersion }) {
  return (
    <div className="stack">
      <Facts facts={factsOf(version)} />
      <div className="overview-layout">
        <div className="stack">
          <LanguageCard statistics={version.statistics} />
          <Sources statistics={version.statistics} />
        </div>
        <div className="stack">
          <WorstRules statistics={version.statistics} />
          <Origin version={version} />
        </div>
      </div>
    </div>
  );
}
