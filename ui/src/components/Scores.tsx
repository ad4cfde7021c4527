// Scores with their intervals, as points on one scale a task.
import type { EvaluationSummary } from '../api/queries';
import { formatFigure, formatLoss, formatPercent, formatStep } from '../figures/numbers';
import { spellLanguage } from '../figures/words';
import './scores.css';

export interface Score {
  label: string;
  value: number;
  low: number;
  high: number;
  items: number | null;
}

const WIDTH = 220;

export function formatScore(metric: string, value: number): string {
  return metric === 'accuracy' ? formatPercent(value) : metric === 'bits_per_byte' ? formatLoss(value) : formatFigure(value);
}

/** The whole and its slices. */
export function scoresOf(evaluation: EvaluationSummary): Score[] {
  const whole: Score = { label: 'All', value: evaluation.value, low: evaluation.low, high: evaluation.high, items: evaluation.num_items };
  const slices = Object.entries(evaluation.slices).flatMap(([label, raw]): Score[] => {
    const slice = raw as { value?: number; low?: number; high?: number; num_items?: number };
    if (typeof slice?.value !== 'number') return [];
    const name = /^[a-z]{2,3}$/.test(label) ? spellLanguage(label) : label;
    return [{ label: name, value: slice.value, low: slice.low ?? slice.value, high: slice.high ?? slice.value, items: slice.num_items ?? null }];
  });
  return [whole, ...slices];
}

export function IntervalMark({ score, from, to, chance, strong }: { score: Score; from: number; to: number; chance: number | null; strong: boolean }) {
  const at = (value: number) => 6 + ((value - from) / (to - from || 1)) * (WIDTH - 12);
  return (
    <svg className="interval" viewBox={`0 0 ${WIDTH} 20`} width={WIDTH} height="20" aria-hidden>
      {chance !== null && <line x1={at(chance)} x2={at(chance)} y1="0" y2="20" stroke="var(--line-strong)" strokeDasharray="1 3" />}
      <line x1={at(score.low)} x2={at(score.high)} y1="10" y2="10" stroke={strong ? 'var(--accent)' : 'var(--text3)'} strokeWidth="1.5" />
      <circle cx={at(score.value)} cy="10" r="3.5" fill={strong ? 'var(--accent)' : 'var(--text3)'} />
    </svg>
  );
}

export function ScoreTable({ evaluation }: { evaluation: EvaluationSummary }) {
  const scores = scoresOf(evaluation);
  const chance = evaluation.chance ?? null;
  const values = [...scores.flatMap((s) => [s.low, s.high]), ...(chance === null ? [] : [chance])];
  const [from, to] = [Math.min(...values), Math.max(...values)];
  return (
    <div className="table-wrap">
      <table className="table score-table">
        <thead>
          <tr>
            <th>{evaluation.metric === 'bits_per_byte' ? 'Language' : 'Slice'}</th>
            <th className="only-wide">95 % interval{chance !== null && ', dotted: chance'}</th>
            <th className="right">{evaluation.metric === 'bits_per_byte' ? 'Bits per byte' : 'Accuracy'}</th>
            <th className="right">From</th>
            <th className="right">To</th>
            <th className="right">Items</th>
          </tr>
        </thead>
        <tbody>
          {scores.map((score, i) => (
            <tr key={score.label}>
              <td className={i === 0 ? 'strong' : ''}>{score.label}</td>
              <td className="only-wide">
                <IntervalMark score={score} from={from} to={to} chance={chance} strong={i === 0} />
              </td>
              <td className="num strong">{formatScore(evaluation.metric, score.value)}</td>
              <td className="num muted">{formatScore(evaluation.metric, score.low)}</td>
              <td className="num muted">{formatScore(evaluation.metric, score.high)}</td>
              <td className="num muted">{formatStep(score.items)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
