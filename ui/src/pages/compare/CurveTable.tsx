// The numbers behind the curves, at a hundred places.
import { formatOf } from '../../figures/series';
import type { XKind } from '../../figures/place';
import { between } from '../../figures/compare';
import { X_NAMES, xTextOf } from '../../figures/xText';
import type { ComparedRun } from './useCompared';

const ROWS = 100;

export function CurveTable({ runs, metric, x, range }: { runs: readonly ComparedRun[]; metric: string; x: XKind; range: [number, number] }) {
  const [from, to] = range;
  const every = Math.max(x === 'step' ? 1 : 0, (to - from) / ROWS);
  const places = Array.from({ length: Math.min(ROWS, Math.floor((to - from) / every)) + 1 }, (_, i) => Math.round(from + i * every));
  const format = formatOf(metric);
  return (
    <div className="table-wrap points-table" tabIndex={0} role="group" aria-label="Numbers of the curves">
      <table className="table">
        <thead>
          <tr>
            <th className="right">{X_NAMES[x]}</th>
            {runs.map((item) => (
              <th key={item.id} className="right">
                {item.run.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {places.map((place) => (
            <tr key={place}>
              <td className="num">{xTextOf(x).format(place)}</td>
              {runs.map((item) => (
                <td key={item.id} className="num">
                  {format(between(item.trace, place))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
