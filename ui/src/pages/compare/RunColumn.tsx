// The runs of the view: line, last value, difference to the base. A row lifts its line.
import { IconPin, IconX } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { Swatch } from '../../charts/Swatch';
import { StateGlyph } from '../../components/state';
import { formatDifference, MISSING } from '../../figures/numbers';
import { formatOf } from '../../figures/series';
import type { ComparedRun } from './useCompared';

const ICON = { size: 14, stroke: 1.75 } as const;

function ToBase({ item, base, noise, lower }: { item: ComparedRun; base: ComparedRun | null; noise: number | null; lower: boolean }) {
  if (item === base) return <span className="muted">base</span>;
  if (item.tail === null) return <span className="muted">{MISSING}</span>;
  // only what stands out of the seeds' noise is said to be good or bad
  const tone = noise === null || !lower || Math.abs(item.tail) <= noise ? '' : item.tail < 0 ? 'is-recovered' : 'is-not_recovered';
  return <span className={tone}>{formatDifference(item.tail)}</span>;
}

export function RunColumn({ runs, base, noise, metric, lower, onLift, onBase, onRemove }: {
  runs: readonly ComparedRun[];
  base: ComparedRun | null;
  /** Two standard deviations over seeds, at the end. */
  noise: number | null;
  metric: string;
  lower: boolean;
  onLift: (id: string | null) => void;
  onBase: (id: string) => void;
  onRemove: (id: string) => void;
}) {
  return (
    <section className="card compare-runs" aria-label="Runs">
      <table className="table">
        <thead>
          <tr>
            <th>Run</th>
            <th className="right">Last</th>
            <th className="right">To base</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((item) => (
            <tr key={item.id} aria-selected={item === base} onPointerEnter={() => onLift(item.id)} onPointerLeave={() => onLift(null)} onFocus={() => onLift(item.id)} onBlur={() => onLift(null)}>
              <td className="compare-name">
                <span className="row">
                  <Swatch {...item.style} />
                  {item.run.state !== 'completed' && <StateGlyph state={item.run.state} size={12} />}
                  <Link to="/runs/$runId" params={{ runId: item.id }} className="strong clip" title={item.run.name} data-row>
                    {item.run.name}
                  </Link>
                </span>
              </td>
              <td className="num strong">{formatOf(metric)(item.last)}</td>
              <td className="num">
                <ToBase item={item} base={base} noise={noise} lower={lower} />
                <span className="compare-acts">
                  {item !== base && (
                    <button className="btn ghost icon compact" aria-label={`Make ${item.run.name} the base`} title="Make it the base" onClick={() => onBase(item.id)}>
                      <IconPin {...ICON} />
                    </button>
                  )}
                  <button className="btn ghost icon compact" aria-label={`Take ${item.run.name} out`} title="Take it out" onClick={() => onRemove(item.id)}>
                    <IconX {...ICON} />
                  </button>
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
