// An ablation: which change of the recipe made better data, and how sure that is.
import { formatScore, IntervalMark } from '../../components/Scores';
import type { RankingSummary, Standing } from '../../figures/findings';
import { formatDifference, formatFigure, MISSING } from '../../figures/numbers';
import { spellOut } from '../../figures/words';
import './findings.css';

const CLASSES: Record<string, string> = { better: 'is-recovered', worse: 'is-not_recovered' };

/** In the metric's own unit; accuracies in points. */
function writeDifference(metric: string, value: number): string {
  return metric === 'bits_per_byte' ? formatDifference(value) : `${formatDifference(value * 100, 1)}\u2009pt`;
}

function Row({ row, metric, from, to, best }: { row: Standing; metric: string; from: number; to: number; best: boolean }) {
  return (
    <tr aria-selected={best}>
      <td className="strong whole">
        {row.arm}
        {best && <span className="tag findings-tag">winner</span>}
      </td>
      <td className={`small ${CLASSES[row.verdict] ?? 'muted'}`} data-label="Verdict">{row.verdict}</td>
      <td className="num strong" data-label="Mean">{row.mean === null ? MISSING : formatScore(metric, row.mean)}</td>
      <td className="num" data-label="Difference">{row.difference ? writeDifference(metric, row.difference.value) : MISSING}</td>
      <td className="only-wide">{row.difference && <IntervalMark score={{ label: '', items: null, ...row.difference }} from={from} to={to} chance={0} strong={row.verdict === 'better' || row.verdict === 'worse'} />}</td>
      <td className="num muted" data-label="Interval">{row.difference ? `${writeDifference(metric, row.difference.low)} to ${writeDifference(metric, row.difference.high)}` : MISSING}</td>
      <td className="num muted" data-label="Seeds">{row.numSeeds}</td>
      <td className="num muted" data-label="p, adjusted">{formatFigure(row.pAdjusted)}</td>
    </tr>
  );
}

export function RankingCard({ ranking }: { ranking: RankingSummary }) {
  const ends = ranking.standings.flatMap((row) => (row.difference ? [row.difference.low, row.difference.high] : []));
  const [from, to] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  return (
    <section className="card findings" aria-label="Ranking">
      <div className="card-head">
        <h2>{ranking.winner ? `${ranking.winner} makes better data` : 'No variant is told apart as better'}</h2>
        <span className="small muted">
          {spellOut(ranking.metric).toLowerCase()}, {ranking.metric === 'bits_per_byte' ? 'lower' : 'higher'} is better; differences to the base on the same seeds, dotted: none
        </span>
      </div>
      <div className="table-wrap">
        <table className="table stacked">
          <thead>
            <tr>
              <th>Variant</th>
              <th>Verdict</th>
              <th className="right">Mean</th>
              <th className="right">Difference</th>
              <th className="only-wide">
                <span className="visually-hidden">Interval</span>
              </th>
              <th className="right">Interval</th>
              <th className="right">Seeds</th>
              <th className="right">p, adjusted</th>
            </tr>
          </thead>
          <tbody>
            {ranking.standings.map((row) => (
              <Row key={row.arm} row={row} metric={ranking.metric} from={from} to={to} best={row.arm === ranking.winner} />
            ))}
          </tbody>
        </table>
      </div>
      {ranking.notes.length > 0 && (
        <ul className="small muted findings-note">
          {ranking.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </section>
  );
}
