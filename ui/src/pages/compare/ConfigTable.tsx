// Settings side by side: those that differ, or all; what came out of each run closes the table.
import { Swatch } from '../../charts/Swatch';
import { Segmented } from '../../components/Segmented';
import { compareSpecs } from '../../figures/compare';
import { formatCount, formatLoss, formatRate, MISSING } from '../../figures/numbers';
import { elapsedSeconds, formatDuration } from '../../figures/time';
import type { ComparedRun } from './useCompared';

type Outcome = [name: string, write: (item: ComparedRun) => string | null];

const figure = (item: ComparedRun, key: string, format: (value: number) => string): string | null => {
  const value = item.run.headline[key];
  return typeof value === 'number' ? format(value) : null;
};

const OUTCOMES: Outcome[] = [
  ['Training loss', (item) => figure(item, 'loss', formatLoss)],
  ['Held-out loss', (item) => figure(item, 'heldout_loss', formatLoss)],
  ['Tokens', (item) => figure(item, 'tokens', formatCount)],
  ['Throughput', (item) => figure(item, 'tokens_per_second', (v) => formatRate(v, 'tok/s'))],
  ['Interventions', (item) => String(item.run.num_interventions ?? 0)],
  ['Wall clock', (item) => (item.run.finished_at ? formatDuration(elapsedSeconds(item.run.started_at ?? null, item.run.finished_at, 0)) : null)],
];

function Row({ name, runs, base, write, mono }: { name: string; runs: readonly ComparedRun[]; base: ComparedRun; write: (item: ComparedRun) => string | null | undefined; mono: boolean }) {
  const own = write(base);
  return (
    <tr>
      <th scope="row" className={mono ? 'mono' : ''}>
        {name}
      </th>
      {runs.map((item) => {
        const value = write(item);
        const marked = mono && value !== own;
        return (
          <td key={item.id} className={mono ? 'mono' : 'num-left'}>
            <span className={marked ? 'differs' : ''} title={value ?? undefined}>
              {value ?? MISSING}
            </span>
          </td>
        );
      })}
    </tr>
  );
}

export function ConfigTable({ runs, base, all, onAll }: { runs: readonly ComparedRun[]; base: ComparedRun; all: boolean; onAll: (all: boolean) => void }) {
  const ordered = [base, ...runs.filter((item) => item !== base)];
  const keys = compareSpecs(ordered.map((item) => item.spec));
  const outcomes = OUTCOMES.filter(([, write]) => ordered.some((item) => write(item) !== null));
  return (
    <section className="card" aria-label="Configuration">
      <div className="card-head config-head">
        <h2>Configuration</h2>
        <Segmented
          label="Which settings"
          value={all ? 'all' : 'differing'}
          options={[
            { value: 'differing', label: `Different ${keys.differing.length}` },
            { value: 'all', label: `All ${keys.all.length}` },
          ]}
          onChange={(value) => onAll(value === 'all')}
        />
        <span className="small muted">marked: not as in the base</span>
      </div>
      <div className="table-wrap" tabIndex={0} role="group" aria-label="Settings of each run">
        <table className="table config-table">
          <thead>
            <tr>
              <th scope="col">Key</th>
              {ordered.map((item) => (
                <th key={item.id} scope="col">
                  <span className="row">
                    <Swatch {...item.style} />
                    <span className="clip config-run" title={item.run.name}>
                      {item.run.name}
                    </span>
                    {item === base && <span className="tag">base</span>}
                  </span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {(all ? keys.all : keys.differing).map((key) => (
              <Row key={key} name={key} runs={ordered} base={base} write={(item) => item.spec.get(key)} mono />
            ))}
            {!all && keys.differing.length === 0 && (
              <tr>
                <td colSpan={ordered.length + 1} className="muted">
                  {ordered.length > 1 ? 'No setting differs.' : 'Add a run to see what differs.'}
                </td>
              </tr>
            )}
            {outcomes.map(([name, write]) => (
              <Row key={name} name={name} runs={ordered} base={base} write={write} mono={false} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
