// Two versions: what differs in the recipe, and what that did to the documents.
import { useQuery } from '@tanstack/react-query';
import { comparisonQuery, type Comparison } from '../../api/curation';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { formatCount, formatFigure, formatPercent, MISSING } from '../../figures/numbers';
import { spellLanguage } from '../../figures/words';
import { CompareExamples } from './CompareExamples';
import { ruleName } from './SampleList';

const PARTS = [
  { key: 'only_left', label: 'only in', side: 'left', color: 'var(--dropped)' },
  { key: 'changed', label: 'text changed', side: null, color: 'var(--paused)' },
  { key: 'same', label: 'the same in both', side: null, color: 'var(--line-strong)' },
  { key: 'only_right', label: 'only in', side: 'right', color: 'var(--kept)' },
] as const;

function write(value: unknown): string {
  if (value === undefined || value === null) return MISSING;
  if (typeof value === 'number') return formatFigure(value);
  if (typeof value === 'string') return value;
  return JSON.stringify(value) ?? MISSING;
}

/** `+4.1 %`, from three times on `× 14.4`; `new` where there was none before. */
function changeOf(left: number, right: number): string {
  if (left === right) return '';
  if (left === 0) return 'new';
  if (right / left > 3) return `\u00d7 ${formatFigure(Number((right / left).toPrecision(3)))}`;
  const share = right / left - 1;
  return `${share < 0 ? '\u2212' : '+'}${formatPercent(Math.abs(share))}`;
}

function Documents({ comparison, names }: { comparison: Comparison; names: { left: string; right: string } }) {
  const { documents } = comparison;
  if (!documents) return <p className="small muted">Which documents differ is not known: one of the two has no index of its documents.</p>;
  const counts = { ...documents, same: documents.both - documents.changed };
  const total = documents.only_left + documents.only_right + documents.both || 1;
  const title = (part: (typeof PARTS)[number]) => (part.side ? `${part.label} ${names[part.side]}` : part.label);
  return (
    <section className="card" aria-label="Documents of both versions">
      <div className="card-head">
        <h2>Documents</h2>
        <span className="small muted">
          {names.left} to {names.right}, by document
        </span>
      </div>
      <div className="card-body">
        <div className="share-bar" aria-hidden>
          {PARTS.map((part) => counts[part.key] > 0 && <i key={part.key} style={{ width: `max(2px, ${(counts[part.key] / total) * 100}%)`, background: part.color }} />)}
        </div>
        <ul className="share-list small compare-parts">
          {PARTS.map((part) => (
            <li key={part.key} className="row">
              <span className="dot square" style={{ background: part.color }} />
              {title(part)} <b className="num push">{formatCount(counts[part.key])}</b>
              <span className="muted num compare-share">{formatPercent(counts[part.key] / total)}</span>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function Recipe({ comparison, names }: { comparison: Comparison; names: { left: string; right: string } }) {
  const known = comparison.spec.length > 0 || (comparison.left.lineage['recipe'] !== undefined && comparison.right.lineage['recipe'] !== undefined);
  return (
    <section className="card" aria-label="Difference of the recipes">
      <div className="card-head">
        <h2>Recipe</h2>
        <span className="small muted">{!known ? 'not known' : comparison.spec.length === 0 ? 'the same' : comparison.spec.length === 1 ? '1 field differs' : `${comparison.spec.length} fields differ`}</span>
      </div>
      {comparison.spec.length === 0 ? (
        <p className="card-body small muted">
          {known ? 'Both were made by the same recipe: what differs below comes from the input, or from newer code.' : 'The recipe of one of them was not kept.'}
        </p>
      ) : (
        <div className="recipe-table" role="region" aria-label="Fields that differ" tabIndex={0}>
          <table className="table">
            <thead>
              <tr>
                <th>Field</th>
                <th>{names.left}</th>
                <th>{names.right}</th>
              </tr>
            </thead>
            <tbody>
              {comparison.spec.map((field) => (
                <tr key={field.pointer}>
                  <td className="mono">{field.pointer.slice(1)}</td>
                  <td className="mono minus">{write(field.left)}</td>
                  <td className="mono plus">{write(field.right)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

interface Pair {
  name: string;
  left: number;
  right: number;
}

function Pairs({ title, note, rows, names }: { title: string; note: string; rows: Pair[]; names: { left: string; right: string } }) {
  if (rows.length === 0) return null;
  return (
    <section className="card" aria-label={title}>
      <div className="card-head">
        <h2>{title}</h2>
        <span className="small muted">{note}</span>
      </div>
      <table className="table plain-table">
        <thead>
          <tr>
            <th>{title === 'Rules' ? 'Rule' : 'Language'}</th>
            <th className="right">{names.left}</th>
            <th className="right">{names.right}</th>
            <th className="right">Change</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name}>
              <td className="wrap-cell">{row.name}</td>
              <td className="num muted">{formatCount(row.left)}</td>
              <td className="num strong">{formatCount(row.right)}</td>
              <td className="num">{changeOf(row.left, row.right)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function Compare({ left, right }: { left: string; right: string }) {
  const { data, error, refetch } = useQuery(comparisonQuery(left, right));
  if (error && !data) return <ProblemCard error={error} what="The two versions could not be compared" retry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={8} />;
  const same = data.left.name === data.right.name;
  const nameOf = (version: Comparison['left']) => (same ? `v${version.version}` : `${version.name} v${version.version}`);
  const names = { left: nameOf(data.left), right: nameOf(data.right) };
  const rules = data.rules.map((rule) => ({ name: ruleName(rule.rule), left: rule.left, right: rule.right })).sort((a, b) => Math.abs(b.right - b.left) - Math.abs(a.right - a.left));
  const tokens = Object.entries(data.tokens).map(([language, counts]) => ({ name: spellLanguage(language), ...counts }));
  return (
    <div className="stack" role="region" aria-label={`Difference of ${names.left} and ${names.right}`}>
      <div className="compare-layout">
        <div className="stack">
          <Documents comparison={data} names={names} />
          <Recipe comparison={data} names={names} />
        </div>
        <div className="stack">
          <Pairs title="Tokens" note="by language" rows={tokens} names={names} />
          <Pairs title="Rules" note="documents dropped" rows={rules} names={names} />
        </div>
      </div>
      <CompareExamples examples={data.examples} names={names} />
    </div>
  );
}
