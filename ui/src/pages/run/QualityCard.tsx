// A scorer's training: how well it finds the good documents at each threshold, and what it adds over the text's length.
import { IntervalMark } from '../../components/Scores';
import type { Interval, QualitySummary } from '../../figures/findings';
import { formatDifference, formatFigure, formatPercent, formatStep, MISSING } from '../../figures/numbers';
import { spellOut } from '../../figures/words';
import './findings.css';

function Share({ figure }: { figure: Interval | null }) {
  if (!figure) return <>{MISSING}</>;
  return (
    <span title={`95 % interval: ${formatPercent(figure.low)} to ${formatPercent(figure.high)}`}>
      <b>{formatPercent(figure.value)}</b>
      <span className="tiny muted interval-text">
        {formatPercent(figure.low, 0)} to {formatPercent(figure.high, 0)}
      </span>
    </span>
  );
}

function Agreement({ quality }: { quality: QualitySummary }) {
  return (
    <p className="small findings-note">
      {quality.agreement.map((row) => (
        <span key={row.name}>
          {spellOut(row.name)} <b className="num">{formatFigure(row.value)}</b>
          {row.baseline !== null && <span className="muted num"> (by length alone {formatFigure(row.baseline)})</span>}
        </span>
      ))}
      {quality.gain && (
        <span>
          {quality.gain.low > 0 ? 'Better than length alone by ' : 'Not told apart from length alone: '}
          <b className="num">{formatDifference(quality.gain.value, 3)}</b>
          <span className="muted num">
            {' '}
            ({formatDifference(quality.gain.low, 3)} to {formatDifference(quality.gain.high, 3)})
          </span>
        </span>
      )}
    </p>
  );
}

export function QualityCard({ quality }: { quality: QualitySummary }) {
  return (
    <section className="card findings" aria-label="Quality at each threshold">
      <div className="card-head">
        <h2>At each threshold</h2>
        <span className="small muted">on documents that the scorer had not seen; 95 % intervals</span>
      </div>
      <div className="table-wrap">
        <table className="table">
          <thead>
            <tr>
              <th>Label at least</th>
              <th className="right">Documents</th>
              <th className="right">Score from</th>
              <th className="right">Precision</th>
              <th className="right">Recall</th>
              <th className="right">F1</th>
              <th className="only-wide">F1, 0 to 100 %</th>
              <th className="right only-wide">Best cut</th>
            </tr>
          </thead>
          <tbody>
            {quality.thresholds.map((row) => (
              <tr key={row.threshold}>
                <td className="strong num-left">{row.threshold}</td>
                <td className="num muted">{formatStep(row.numPositive)}</td>
                <td className="num muted">{formatFigure(row.minScore)}</td>
                <td className="num">
                  <Share figure={row.precision} />
                </td>
                <td className="num">
                  <Share figure={row.recall} />
                </td>
                <td className="num">
                  <Share figure={row.f1} />
                </td>
                <td className="only-wide">{row.f1 && <IntervalMark score={{ label: '', items: null, ...row.f1 }} from={0} to={1} chance={null} strong />}</td>
                <td className="num muted only-wide">{formatFigure(row.bestMinScore)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Agreement quality={quality} />
    </section>
  );
}
