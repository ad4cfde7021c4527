// What is kept, by language: tokens, words, and how dear a word is for the tokenizer.
import { formatCount, formatFigure, formatPercent } from '../../figures/numbers';
import { languageFigures, type LanguageFigures } from '../../figures/statistics';
import { spellLanguage } from '../../figures/words';
import { useDatasetSearch } from './search';

const SLOTS = ['--s1', '--s7', '--s3', '--s5', '--s4', '--s6', '--s2', '--s8'];
const slot = (i: number) => `var(${SLOTS[Math.min(i, SLOTS.length - 1)]})`;

export function LanguageCard({ statistics }: { statistics: unknown }) {
  const [, change] = useDatasetSearch();
  const rows = languageFigures(statistics);
  if (rows.length === 0) return null;
  const unit = rows.every((row) => row.tokens !== null) ? 'tokens' : rows.every((row) => row.bytes !== null) ? 'bytes' : 'documents';
  const size = (row: LanguageFigures) => row[unit] ?? 0;
  const total = rows.reduce((sum, row) => sum + size(row), 0) || 1;
  const withRates = rows.some((row) => row.fertility !== null || row.bytesPerToken !== null);
  return (
    <section className="card" aria-label="Languages">
      <div className="card-head">
        <h2>Languages</h2>
        <span className="small muted">share of kept {unit === 'bytes' ? 'text' : unit}</span>
      </div>
      <div className="card-body share-head">
        <div className="share-bar" aria-hidden>
          {rows.map((row, i) => (
            <i key={row.language} style={{ width: `${(size(row) / total) * 100}%`, background: slot(i) }} />
          ))}
        </div>
      </div>
      <table className="table plain-table">
        <thead>
          <tr>
            <th>Language</th>
            <th className="right">Share</th>
            <th className="right">Documents</th>
            {unit === 'tokens' && <th className="right">Tokens</th>}
            {withRates && <th className="right only-wide">Tokens / word</th>}
            {withRates && <th className="right only-wide">Bytes / token</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={row.language}>
              <td>
                <span className="row">
                  <span className="dot square" style={{ background: slot(i) }} />
                  <button className="text-button" onClick={() => change({ tab: 'funnel', language: row.language, source: undefined })}>
                    {spellLanguage(row.language)}
                  </button>
                </span>
              </td>
              <td className="num strong">{formatPercent(size(row) / total)}</td>
              <td className="num">{formatCount(row.documents)}</td>
              {unit === 'tokens' && <td className="num">{formatCount(row.tokens)}</td>}
              {withRates && <td className="num muted only-wide">{formatFigure(row.fertility)}</td>}
              {withRates && <td className="num muted only-wide">{formatFigure(row.bytesPerToken)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
