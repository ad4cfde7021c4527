// The final figures, as the worker reported them, and where the run came from.
import type { Run } from '../../api/queries';
import { Empty } from '../../components/feedback';
import { When } from '../../components/When';
import { readQuality, readRanking } from '../../figures/findings';
import { formatFigure } from '../../figures/numbers';
import { spellOut } from '../../figures/words';
import { QualityCard } from './QualityCard';
import { RankingCard } from './RankingCard';

function text(value: unknown): string {
  if (typeof value === 'number') return formatFigure(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? '' : String(value);
}

const isGroup = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function Pairs({ entries }: { entries: [string, unknown][] }) {
  return (
    <dl className="pairs wide">
      {entries.map(([key, value]) => (
        <div key={key}>
          <dt>{spellOut(key)}</dt>
          <dd className="num">{text(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function SummaryTab({ run }: { run: Run }) {
  const quality = run.kind === 'quality' ? readQuality(run.summary) : null;
  const ranking = run.kind === 'ablation' ? readRanking(run.summary) : null;
  // what a table tells is not told again
  const entries = Object.entries(run.summary).filter(([key]) => !(quality && /^threshold_|^length_baseline$/.test(key)) && !(ranking && /^(metric|winner)$/.test(key)));
  const plain = entries.filter(([, value]) => !isGroup(value) && !Array.isArray(value));
  const groups = entries.filter((entry): entry is [string, Record<string, unknown>] => isGroup(entry[1]) && Object.values(entry[1]).some((v) => !isGroup(v) && !Array.isArray(v)));
  return (
    <div className="summary-grid">
      {quality && <QualityCard quality={quality} />}
      {ranking && <RankingCard ranking={ranking} />}
      <section className="card">
        <div className="card-head">
          <h2>Figures</h2>
        </div>
        <div className="card-body">
          {plain.length > 0 ? <Pairs entries={plain} /> : <p className="muted">The worker reports them when the run ends.</p>}
        </div>
      </section>
      {groups.map(([key, values]) => (
        <section className="card" key={key}>
          <div className="card-head">
            <h2>{spellOut(key)}</h2>
          </div>
          <div className="card-body">
            <Pairs entries={Object.entries(values).filter(([, v]) => !isGroup(v) && !Array.isArray(v))} />
          </div>
        </section>
      ))}
      <section className="card">
        <div className="card-head">
          <h2>Run</h2>
        </div>
        <div className="card-body">
          <dl className="pairs wide">
            <div>
              <dt>Id</dt>
              <dd className="mono">{run.id}</dd>
            </div>
            <div>
              <dt>Spec</dt>
              <dd className="mono">{run.spec_hash.slice(0, 16)}</dd>
            </div>
            <div>
              <dt>Created</dt>
              <dd>
                <When time={run.created_at} />
              </dd>
            </div>
            <div>
              <dt>Started</dt>
              <dd>
                <When time={run.started_at} />
              </dd>
            </div>
            <div>
              <dt>Last heard of</dt>
              <dd>
                <When time={run.heartbeat_at} />
              </dd>
            </div>
            <div>
              <dt>Priority</dt>
              <dd>{run.priority}</dd>
            </div>
            {run.mlflow_run_id && (
              <div>
                <dt>MLflow</dt>
                <dd className="mono">
                  {run.mlflow_url ? (
                    <a className="link" href={run.mlflow_url} target="_blank" rel="noreferrer">
                      {run.mlflow_run_id}
                    </a>
                  ) : (
                    run.mlflow_run_id
                  )}
                </dd>
              </div>
            )}
          </dl>
        </div>
      </section>
      {entries.length === 0 && run.state === 'queued' && <Empty title="Not begun" todo={run.state_reason || 'The run waits for a worker.'} />}
    </div>
  );
}
