// The version at a glance: its size, its languages, its sources, what took most, and what it was made of.
import type { DatasetVersion } from '../../api/queries';
import { Facts, type Fact } from '../../components/Facts';
import { countOf, funnelSources, readFunnel } from '../../figures/funnel';
import { formatBytes, formatCount, formatFigure, formatPercent, formatStep, MISSING } from '../../figures/numbers';
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
                <button className="text-button" title={row.source} onClick={() => change({ tab: 'funnel', source: row.source, language: undefined })}>
                  {row.source}
                </button>
              </td>
              <td className="only-wide">
                <span className="share-track" aria-hidden>
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

type Line = [string, string];
const write = (value: unknown) => (typeof value === 'number' ? formatFigure(value) : String(value).replace('sha256:', ''));

/** Plain values of the lineage, one level deep: `Input: files`. The recipe stands in its run. */
function lineageOf(lineage: Table): { rows: Line[]; versions: Line[] } {
  const rows = Object.entries(lineage).flatMap(([name, value]): Line[] => {
    if (name === 'recipe' || name === 'versions' || value === null) return [];
    if (typeof value !== 'object') return [[spellOut(name), write(value)]];
    return Object.entries(value)
      .filter(([, inner]) => typeof inner !== 'object')
      .map(([inner, v]) => [`${spellOut(name)}: ${spellOut(inner).toLowerCase()}`, inner.endsWith('bytes') && typeof v === 'number' ? formatBytes(v) : write(v)]);
  });
  const versions = Object.entries(table(lineage['versions'])).map(([name, value]): Line => [name, String(value)]);
  return { rows, versions };
}

function Lines({ lines }: { lines: Line[] }) {
  return (
    <dl className="origin">
      {lines.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="mono clip" title={value}>
            {value}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Origin({ version }: { version: DatasetVersion }) {
  const { rows, versions } = lineageOf(version.lineage);
  const rejects = Object.entries(table(version.statistics['rejects'])).flatMap(([reason, n]): Line[] => (countOf(n) > 0 ? [[`Unreadable: ${spellOut(reason).toLowerCase()}`, formatCount(countOf(n))]] : []));
  if (rows.length + versions.length + rejects.length === 0) return null;
  return (
    <section className="card" aria-label="Origin">
      <div className="card-head">
        <h2>Origin</h2>
        <span className="small muted">equal input and recipe give an equal digest</span>
      </div>
      <div className="card-body stack">
        <Lines lines={[...rejects, ...rows]} />
        {versions.length > 0 && (
          <details className="origin-versions">
            <summary className="small muted">Made with {versions.length} libraries</summary>
            <Lines lines={versions} />
          </details>
        )}
      </div>
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
