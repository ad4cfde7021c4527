// The numbers behind the charts.
import { useQueries } from '@tanstack/react-query';
import { metricQuery, type StepRange } from '../../api/queries';
import { mergeBranches, valueAt } from '../../figures/curves';
import { formatStep } from '../../figures/numbers';
import { formatOf } from '../../figures/series';
import { spellOut } from '../../figures/words';
import { BUCKETS } from './SeriesPanel';

const ROWS = 100;

export function PointsTable({ runId, keys, range }: { runId: string; keys: string[]; range: StepRange }) {
  const answers = useQueries({ queries: keys.map((key) => metricQuery(runId, key, range, BUCKETS)) });
  const curves = answers.map((answer) => mergeBranches(answer.data ?? []).live);
  const steps = curves[0]?.steps ?? [];
  const every = Math.max(1, Math.ceil(steps.length / ROWS));
  const shown = steps.filter((_, i) => i % every === 0 || i === steps.length - 1);
  return (
    <div className="table-wrap points-table" tabIndex={0} role="region" aria-label="Values of the curves">
      <table className="table">
        <thead>
          <tr>
            <th className="right">Step</th>
            {keys.map((key) => (
              <th key={key} className="right">
                {spellOut(key)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((step) => (
            <tr key={step}>
              <td className="num">{formatStep(step)}</td>
              {keys.map((key, i) => (
                <td key={key} className="num">
                  {formatOf(key)(valueAt({ steps: curves[i]?.steps ?? [], values: curves[i]?.mean ?? [] }, step))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
