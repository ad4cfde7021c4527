// All that the filters measured on a document, the deciding figure marked.
import type { Sample } from '../../api/queries';
import { drops, type Bound, type Histogram } from '../../figures/histograms';
import { formatFigure, MISSING } from '../../figures/numbers';
import { spellRule } from '../../figures/words';

interface Row {
  rule: string;
  figure: number;
  threshold: number | null;
  bound: Bound;
  decided: boolean;
}

const boundOf = (rule: string): Bound => (/\.min_[^.]*/.test(rule) ? 'min' : 'max');

/** In the order of the filters; the deciding figure is there even when no others were kept. */
export function figureRows(sample: Sample, histograms: readonly Histogram[]): Row[] {
  const figures = { ...sample.figures, ...(sample.rule && sample.figure != null ? { [sample.rule]: sample.figure } : {}) };
  return Object.entries(figures).flatMap(([rule, figure]): Row[] => {
    if (figure === null) return [];
    const bins = histograms.find((item) => item.rule === rule && item.language === sample.language);
    const decided = rule === sample.rule;
    const force = bins?.threshold ?? null;
    return [{ rule, figure, decided, bound: bins?.bound ?? boundOf(rule), threshold: decided ? (sample.threshold ?? force) : force }];
  });
}

function Quality({ sample }: { sample: Sample }) {
  const score = Object.entries(sample.figures ?? {}).find(([rule]) => rule.startsWith('quality_score.'))?.[1];
  if (score === undefined || score === null) return null;
  return (
    <div className="quality-score">
      <span className="small muted">Quality score</span>
      <b className="num">{score.toFixed(2)}</b>
      <span className="quality-bar" role="img" aria-label={`${score.toFixed(2)} of 5`}>
        <i style={{ width: `${Math.min(100, Math.max(0, (score / 5) * 100))}%` }} />
      </span>
    </div>
  );
}

function FigureRow({ row }: { row: Row }) {
  const { group, part } = spellRule(row.rule);
  const over = drops(row.bound, row.figure, row.threshold);
  return (
    <tr className={row.decided ? 'decided' : ''} aria-current={row.decided ? 'true' : undefined}>
      <td>
        {row.decided && <span className="visually-hidden">Decided: </span>}
        {part ?? group}
      </td>
      <td className={`num ${over || row.decided ? 'is-not_recovered strong' : ''}`}>{formatFigure(row.figure)}</td>
      <td className="num muted">{row.threshold === null ? MISSING : `${row.bound === 'min' ? '\u2265' : '\u2264'}\u2009${formatFigure(row.threshold)}`}</td>
    </tr>
  );
}

export function FigureTable({ sample, histograms }: { sample: Sample; histograms: readonly Histogram[] }) {
  const rows = figureRows(sample, histograms);
  const filters = [...new Set(rows.map((row) => spellRule(row.rule).group))];
  return (
    <aside className="figure-table" aria-label="Figures of the document" tabIndex={0}>
      <Quality sample={sample} />
      {rows.length === 0 ? (
        <p className="small muted">No figure was kept of this document.</p>
      ) : (
        <table className="table">
          <thead>
            <tr>
              <th>Rule</th>
              <th className="right">Figure</th>
              <th className="right">Limit</th>
            </tr>
          </thead>
          {filters.map((filter) => (
            <tbody key={filter}>
              <tr className="figure-filter">
                <th colSpan={3} scope="rowgroup">
                  {filter}
                </th>
              </tr>
              {rows
                .filter((row) => spellRule(row.rule).group === filter)
                .map((row) => (
                  <FigureRow key={row.rule} row={row} />
                ))}
            </tbody>
          ))}
        </table>
      )}
    </aside>
  );
}
