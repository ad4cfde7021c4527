// Two checkpoints item by item: by slice, who was right, and what each did.
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { comparisonQuery, pairsQuery, type ItemPair, type PairedSlice, type PairOutcome } from '../../api/evaluations';
import type { EvaluationSummary } from '../../api/queries';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { Glyph } from '../../components/Glyph';
import { useKeys } from '../../components/keys';
import { moveFocus } from '../../components/rows';
import { Segmented } from '../../components/Segmented';
import { readItem } from '../../figures/answers';
import { formatDifference, formatStep } from '../../figures/numbers';
import { spellLanguage } from '../../figures/words';
import { Badge } from './Badge';
import { PairDetail } from './PairDetail';

const WIDTH = 96;

/** A difference with its interval around zero. */
function DifferenceMark({ row, reach }: { row: PairedSlice; reach: number }) {
  const at = (value: number) => WIDTH / 2 + (Math.max(-reach, Math.min(reach, value)) / (reach || 1)) * (WIDTH / 2 - 4);
  const apart = row.low !== null && row.high !== null && (row.low > 0 || row.high < 0);
  const tone = apart ? 'var(--accent)' : 'var(--text3)';
  return (
    <svg width={WIDTH} height="16" aria-hidden>
      <line x1={WIDTH / 2} x2={WIDTH / 2} y1="0" y2="16" stroke="var(--line-strong)" />
      {row.low !== null && row.high !== null && <line x1={at(row.low)} x2={at(row.high)} y1="8" y2="8" stroke={tone} strokeWidth="1.5" />}
      <circle cx={at(row.difference)} cy="8" r="3" fill={tone} />
    </svg>
  );
}

const nameOf = (slice: string): string => (/^[a-z]{2,3}$/.test(slice) ? spellLanguage(slice) : slice || 'All');

function Slices({ rows, points, chosen, onChoose }: { rows: PairedSlice[]; points: boolean; chosen: string | undefined; onChoose: (slice: string | undefined) => void }) {
  const reach = Math.max(...rows.map((row) => Math.max(Math.abs(row.low ?? row.difference), Math.abs(row.high ?? row.difference))), 1e-9);
  return (
    <table className="table pair-slices">
      <thead>
        <tr>
          <th>Slice</th>
          <th className="right" colSpan={2}>
            A − B{points ? ', points' : ''}
          </th>
          <th className="right">Items</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.slice} aria-selected={(chosen ?? '') === row.slice}>
            <td className="pair-slice-name">
              <button className="text-button" aria-pressed={(chosen ?? '') === row.slice} onClick={() => onChoose(row.slice || undefined)}>
                {nameOf(row.slice)}
              </button>
            </td>
            <td className="right">
              <DifferenceMark row={row} reach={reach} />
            </td>
            <td className="num">{points ? formatDifference(row.difference * 100, 1) : formatDifference(row.difference, 3)}</td>
            <td className="num muted">{formatStep(row.num_items)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const Verdict = ({ correct, side }: { correct: boolean | null; side: string }) =>
  correct === null ? null : (
    <span className={correct ? 'is-completed' : 'is-failed'}>
      <Glyph name={correct ? 'completed' : 'failed'} size={14} label={`${side} ${correct ? 'right' : 'wrong'}`} />
    </span>
  );

function Row({ pair, open, onOpen }: { pair: ItemPair; open: boolean; onOpen: () => void }) {
  return (
    <li>
      <button className="pair-row" aria-pressed={open} onClick={onOpen} onFocus={onOpen} data-row={pair.item_id}>
        <Verdict correct={pair.a.correct} side="A" />
        <Verdict correct={pair.b.correct} side="B" />
        <span className="clip">{readItem(pair.a.data).context || pair.item_id}</span>
        <span className="push num small muted">{formatDifference(pair.a.score - pair.b.score, 2)}</span>
      </button>
    </li>
  );
}

export function PairCard({ a, b }: { a: EvaluationSummary; b: EvaluationSummary }) {
  const { slice, outcome, item } = useSearch({ from: '/app/evaluations' });
  const navigate = useNavigate({ from: '/evaluations' });
  const set = (change: { slice?: string | undefined; outcome?: PairOutcome | undefined; item?: string | undefined }) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  const comparison = useQuery(comparisonQuery(a.id, b.id));
  const query = useInfiniteQuery(pairsQuery(a.id, b.id, { slice, outcome }));
  useKeys([
    ['j', () => moveFocus(1)],
    ['k', () => moveFocus(-1)],
  ]);
  const pairs = query.data?.pages.flatMap((page) => page.items) ?? [];
  const open = pairs.find((pair) => pair.item_id === item) ?? pairs[0];
  if (comparison.error) return <ProblemCard error={comparison.error} what="The two could not be held against each other" retry={() => void comparison.refetch()} />;
  if (!comparison.data) return <SkeletonRows rows={6} />;
  const { whole, slices } = comparison.data;
  if (!whole) return <p className="muted">The two have no item in common that was kept.</p>;
  const points = a.metric === 'accuracy';
  const counts = slices.find((row) => row.slice === slice) ?? whole;
  return (
    <section className="card pair-card" aria-label="Item by item">
      <div className="card-head pair-head">
        <h2>Item by item</h2>
        <span className="row small clip">
          <Badge side="a" /> <span className="clip">{a.run_name}</span> <span className="muted">against</span> <Badge side="b" /> <span className="clip">{b.run_name}</span>
        </span>
        <span className="push" />
        {points && (
          <Segmented<PairOutcome | 'all'>
            label="Who was right"
            value={outcome ?? 'all'}
            options={[
              { value: 'all', label: `All ${formatStep(counts.num_items)}` },
              { value: 'both_wrong', label: `Both wrong ${formatStep(counts.both_wrong)}` },
              { value: 'only_b', label: `A wrong, B right ${formatStep(counts.only_b)}` },
              { value: 'only_a', label: `A right, B wrong ${formatStep(counts.only_a)}` },
            ]}
            onChange={(value) => set({ outcome: value === 'all' ? undefined : value, item: undefined })}
          />
        )}
      </div>
      <div className="pair-columns">
        <Slices rows={[{ ...whole, slice: '' }, ...(slices.length > 1 ? slices : [])]} points={points} chosen={slice} onChoose={(next) => set({ slice: next, item: undefined })} />
        <div className="pair-list">
          <ul aria-label="Items">
            {pairs.map((pair) => (
              <Row key={pair.item_id} pair={pair} open={pair === open} onOpen={() => pair !== open && set({ item: pair.item_id })} />
            ))}
          </ul>
          {query.data && pairs.length === 0 && <p className="muted small pair-none">No item answers this filter.</p>}
          {query.hasNextPage && (
            <button className="btn ghost compact" onClick={() => void query.fetchNextPage()} disabled={query.isFetchingNextPage}>
              Load more
            </button>
          )}
        </div>
        {open && <PairDetail key={open.item_id} pair={open} />}
      </div>
    </section>
  );
}
