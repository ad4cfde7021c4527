// Scores of checkpoints with their intervals, and the items behind one of them.
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { evaluationItemsQuery, evaluationsQuery } from '../../api/datasets';
import type { EvaluationSummary } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { formatScore, IntervalMark, ScoreTable } from '../../components/Scores';
import { Segmented } from '../../components/Segmented';
import { Page } from '../../components/Shell';
import { When } from '../../components/When';
import { formatFigure, formatStep } from '../../figures/numbers';
import { spellOut } from '../../figures/words';
import './evaluations.css';
import { PairCard } from './PairCard';

interface Sides {
  a?: string | undefined;
  b?: string | undefined;
}

/** Choose a row as A or B; the other side stays when it is of the same task. */
function SideButtons({ row, sides, onSide }: { row: EvaluationSummary; sides: Sides; onSide: (side: 'a' | 'b') => void }) {
  return (
    <span className="side-buttons" role="group" aria-label={`${row.run_name} as`}>
      {(['a', 'b'] as const).map((side) => (
        <button key={side} data-side={side} aria-pressed={sides[side] === row.id} aria-label={`${side.toUpperCase()}: ${row.run_name}`} onClick={() => onSide(side)}>
          {side.toUpperCase()}
        </button>
      ))}
    </span>
  );
}

function TaskTable({ task, rows, open, onOpen, sides, onSide }: { task: string; rows: EvaluationSummary[]; open: string | undefined; onOpen: (id: string) => void; sides: Sides; onSide: (side: 'a' | 'b', row: EvaluationSummary) => void }) {
  const metric = rows[0]?.metric ?? '';
  const chance = rows[0]?.chance ?? null;
  const lower = metric === 'bits_per_byte';
  const ranked = [...rows].sort((a, b) => (lower ? a.value - b.value : b.value - a.value));
  const values = [...ranked.flatMap((row) => [row.low, row.high]), ...(chance === null ? [] : [chance])];
  const [from, to] = [Math.min(...values), Math.max(...values)];
  const first = ranked[0];
  const reaches = (row: EvaluationSummary) => first !== undefined && (lower ? row.low <= first.high : row.high >= first.low);
  return (
    <section className="card" aria-label={spellOut(task)}>
      <div className="card-head">
        <h2>{spellOut(task)}</h2>
        <span className="small muted">
          {lower ? 'bits per byte, lower is better' : 'accuracy, higher is better'}, 95 % intervals{chance === null ? '' : '; dotted: chance'}
        </span>
      </div>
      <div className="table-wrap">
        <table className="table score-table">
          <thead>
            <tr>
              {rows.length > 1 && (
                <th className="side-column-head">
                  <span className="visually-hidden">Hold against each other</span>
                </th>
              )}
              <th>Run</th>
              <th className="only-wide">
                <span className="visually-hidden">Interval</span>
              </th>
              <th className="right">Score</th>
              <th className="right">From</th>
              <th className="right">To</th>
              <th className="right">Items</th>
              <th className="right only-wide">Done</th>
            </tr>
          </thead>
          <tbody>
            {ranked.map((row) => (
              <tr key={row.id} aria-selected={row.id === open || row.id === sides.a || row.id === sides.b}>
                {rows.length > 1 && (
                  <td>
                    <SideButtons row={row} sides={sides} onSide={(side) => onSide(side, row)} />
                  </td>
                )}
                <td>
                  <button className="link-button" onClick={() => onOpen(row.id)} aria-pressed={row.id === open}>
                    {row.run_name}
                  </button>
                </td>
                <td className="only-wide">
                  <IntervalMark score={{ label: '', value: row.value, low: row.low, high: row.high, items: null }} from={from} to={to} chance={chance} strong={reaches(row)} />
                </td>
                <td className="num strong">{formatScore(metric, row.value)}</td>
                <td className="num muted">{formatScore(metric, row.low)}</td>
                <td className="num muted">{formatScore(metric, row.high)}</td>
                <td className="num muted">{formatStep(row.num_items)}</td>
                <td className="num muted only-wide">
                  <When time={row.created_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? formatFigure(value) : JSON.stringify(value);
}

function Items({ evaluation }: { evaluation: EvaluationSummary }) {
  const { slice, correct } = useSearch({ from: '/app/evaluations' });
  const navigate = useNavigate({ from: '/evaluations' });
  const right = correct === undefined ? undefined : correct === 'right';
  const query = useInfiniteQuery(evaluationItemsQuery(evaluation.id, { slice, correct: right }));
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className="card" aria-label="Items">
      <div className="card-head" style={{ alignItems: 'center' }}>
        <h2>Items</h2>
        <span className="small muted">
          {spellOut(evaluation.task)},{' '}
          <Link to="/runs/$runId" params={{ runId: evaluation.run_id }} className="link">
            {evaluation.run_name}
          </Link>
        </span>
        <span className="push" />
        {evaluation.metric === 'accuracy' && (
          <Segmented
            label="Which items"
            value={correct ?? 'all'}
            options={[
              { value: 'all', label: 'All' },
              { value: 'wrong', label: 'Wrong' },
              { value: 'right', label: 'Right' },
            ]}
            onChange={(value) => void navigate({ search: (old) => ({ ...old, correct: value === 'all' ? undefined : value }), replace: true })}
          />
        )}
      </div>
      <ScoreTable evaluation={evaluation} />
      <ul className="item-list">
        {items.map((item) => (
          <li key={item.item_id}>
            <details>
              <summary>
                <span className={item.correct == null ? 'muted' : item.correct ? 'is-completed' : 'is-failed'}>{item.correct == null ? item.slice : item.correct ? 'right' : 'wrong'}</span>
                <span className="clip mono">{item.item_id}</span>
                <span className="muted">{item.correct == null ? '' : item.slice}</span>
                <span className="push num">{formatFigure(item.score)}</span>
              </summary>
              <dl className="item-data">
                {Object.entries(item.data).map(([key, value]) => (
                  <div key={key}>
                    <dt>{spellOut(key)}</dt>
                    <dd>{Array.isArray(value) ? value.map((part, i) => <p key={i}>{plain(part)}</p>) : plain(value)}</dd>
                  </div>
                ))}
              </dl>
            </details>
          </li>
        ))}
      </ul>
      {query.hasNextPage && (
        <button className="btn ghost compact" onClick={() => void query.fetchNextPage()} disabled={query.isFetchingNextPage}>
          Load more
        </button>
      )}
    </section>
  );
}

export function EvaluationsPage() {
  const { open, a, b } = useSearch({ from: '/app/evaluations' });
  const navigate = useNavigate({ from: '/evaluations' });
  const { data, error, refetch } = useQuery(evaluationsQuery());
  const tasks = [...new Set(data?.map((row) => row.task))];
  const chosen = data?.find((row) => row.id === open);
  const [first, second] = [data?.find((row) => row.id === a), data?.find((row) => row.id === b)];
  const choose = (side: 'a' | 'b', row: EvaluationSummary) => {
    const other = side === 'a' ? second : first;
    const kept = other && other.task === row.task && other.id !== row.id ? other.id : undefined;
    const own = (side === 'a' ? a : b) === row.id ? undefined : row.id;
    void navigate({ search: side === 'a' ? { a: own, b: kept } : { a: kept, b: own }, replace: true });
  };
  return (
    <Page crumbs={[{ label: 'Evaluations' }]}>
      <div className="page-head">
        <h1>Evaluations</h1>
      </div>
      {error && !data && <ProblemCard error={error} what="The scores could not be loaded" retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows />}
      {data?.length === 0 && (
        <Empty title="No scores yet" todo="An evaluation run measures a checkpoint; each task stands here with its 95 % interval." cli="headrace launch --preset pipeline">
          <Link to="/launch" className="btn primary">
            Launch a run
          </Link>
        </Empty>
      )}
      {tasks.map((task) => (
        <TaskTable
          key={task}
          task={task}
          rows={data?.filter((row) => row.task === task) ?? []}
          open={open}
          sides={{ a, b }}
          onSide={choose}
          onOpen={(id) => void navigate({ search: { open: id === open ? undefined : id }, replace: true })}
        />
      ))}
      {first && !second && <p className="muted small">Choose a B of the same task to see the two item by item.</p>}
      {second && !first && <p className="muted small">Choose an A of the same task to see the two item by item.</p>}
      {first && second && <PairCard key={`${first.id} ${second.id}`} a={first} b={second} />}
      {chosen && !(first && second) && <Items key={chosen.id} evaluation={chosen} />}
    </Page>
  );
}
