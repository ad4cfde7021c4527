// What a threshold takes away, language by language.
import { writeDifference, type Consequence } from '../../figures/histograms';
import { formatBytes, formatCount, formatFigure, formatPercent } from '../../figures/numbers';
import type { ThresholdGroup } from '../../figures/thresholds';
import { spellLanguage } from '../../figures/words';

interface Result {
  group: ThresholdGroup;
  result: Consequence;
  value: number | null;
}

export function LanguageTable({ results, chosen, onChoose }: { results: Result[]; chosen: string | undefined; onChoose: (language: string | undefined) => void }) {
  const sorted = [...results].sort((a, b) => b.result.total.documents - a.result.total.documents);
  const most = Math.max(1, ...sorted.map((row) => row.result.total.documents));
  return (
    <section className="card table-wrap" aria-label="By language">
      <table className="table plain-table consequence-table">
        <thead>
          <tr>
            <th>Language</th>
            <th className="only-wide">
              <span className="visually-hidden">Share</span>
            </th>
            <th className="right">Threshold</th>
            <th className="right">Dropped</th>
            <th className="right only-wide">of those that reach it</th>
            <th className="right">Change</th>
            <th className="right only-wide">Kept text</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map(({ group, result, value }) => {
            const kept = result.total.documents - result.after.documents;
            return (
              <tr key={result.language} aria-selected={result.language === chosen}>
                <td>
                  <button className="text-button" aria-pressed={result.language === chosen} onClick={() => onChoose(result.language === chosen ? undefined : result.language)}>
                    {spellLanguage(result.language)}
                  </button>
                </td>
                <td className="only-wide">
                  <span className="share-track" aria-hidden>
                    <i style={{ width: `${(kept / most) * 100}%` }} />
                    <i className="dropped" style={{ width: `${(result.after.documents / most) * 100}%` }} />
                  </span>
                </td>
                <td className={`num ${value === group.threshold ? 'muted' : 'strong'}`}>{value === null ? 'off' : formatFigure(value)}</td>
                <td className="num strong">{formatCount(result.after.documents)}</td>
                <td className="num muted only-wide">{formatPercent(result.total.documents ? result.after.documents / result.total.documents : 0)}</td>
                <td className="num">{value === group.threshold ? '' : writeDifference(result)}</td>
                <td className="num muted only-wide">{formatBytes(result.total.bytes - result.after.bytes)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
