// All runs, grouped by what they want of a person.
import { IconPlus } from '@tabler/icons-react';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { foundRunsQuery, newestRunsQuery, olderRunsQuery } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { useKeys } from '../../components/keys';
import { SearchBox } from '../../components/SearchBox';
import { Segmented } from '../../components/Segmented';
import { focusedRow, moveFocus } from '../../components/rows';
import { Page } from '../../components/Shell';
import { useLeaving } from '../../components/undo';
import { MAX_COMPARED, writeSlots } from '../../figures/compare';
import { filterRuns, listRows, mergeRuns, type Group, type RunFilter } from '../../figures/groups';
import { formatStep } from '../../figures/numbers';
import { spellOut } from '../../figures/words';
import { leavingRun } from '../run/leaving';
import { RunTable } from './RunTable';
import { SelectionBar } from './SelectionBar';
import { useSelection, type Selection } from './useSelection';
import './runs.css';

const KINDS = ['pipeline', 'curation', 'training', 'evaluation', 'quality', 'ablation', 'release'] as const;

function LaunchButton() {
  return (
    <Link to="/launch" className="btn primary">
      <IconPlus size={14} stroke={1.75} /> Launch run
    </Link>
  );
}

function Filters({ filter, counted }: { filter: RunFilter; counted: string }) {
  const navigate = useNavigate({ from: '/runs' });
  const set = (change: Omit<RunFilter, 'children'> & { children?: true | undefined }) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true });
  return (
    <div className="row wrap">
      <SearchBox label="Search runs" value={filter.q ?? ''} onChange={(q) => set({ q: q || undefined })} />
      <select className="field-input kind-select" aria-label="Kind" value={filter.kind ?? ''} onChange={(e) => set({ kind: e.target.value || undefined })}>
        <option value="">All kinds</option>
        {KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {spellOut(kind)}
          </option>
        ))}
      </select>
      <Segmented
        label="Stages of pipelines"
        value={filter.children ? 'all' : 'top'}
        options={[
          { value: 'top', label: 'Top level' },
          { value: 'all', label: 'With stages' },
        ]}
        onChange={(value) => set({ children: value === 'all' || undefined })}
      />
      <span className="muted small num push only-wide">{counted}</span>
    </div>
  );
}

function selectFocused(selection: Selection) {
  const id = focusedRow();
  if (id) selection.toggle(id);
}

/** `total` null: the name was looked for in all of them. */
function countRuns(shown: number, total: number | null, more: boolean): string {
  if (total === null) return `${formatStep(shown)} found in all runs`;
  return `${shown === total ? '' : `${formatStep(shown)} of `}${more ? 'the newest ' : ''}${formatStep(total)} runs`;
}

/** What is here of the list, what of it answers the filter, and how to get more. */
function useRuns(filter: RunFilter) {
  const newest = useQuery(newestRunsQuery);
  const older = useInfiniteQuery(olderRunsQuery(newest.data?.lastPage ?? null));
  const more = newest.data?.next != null && (older.data === undefined || older.hasNextPage);
  const [q] = useDebouncedValue(filter.q ?? '', 300);
  const found = useQuery({ ...foundRunsQuery(q), enabled: more && q !== '' });
  const leaving = useLeaving();
  const all = useMemo(
    () => newest.data && mergeRuns(newest.data.items, more && q !== '' ? (found.data ?? []) : [], older.data?.pages.flatMap((page) => page.items) ?? []).filter((run) => !leaving.has(leavingRun(run.id))),
    [newest.data, older.data, found.data, more, q, leaving],
  );
  const shown = useMemo(() => filterRuns(all ?? [], filter), [all, filter]);
  const loadOlder = () => void (older.data === undefined ? older.refetch() : older.fetchNextPage());
  return { all, shown, more, searched: more && q !== '', loadOlder, loading: older.isFetching, error: newest.error, isPending: newest.isPending, refetch: newest.refetch };
}

export function RunsPage() {
  const filter = useSearch({ from: '/app/runs' });
  const { all, shown, more, searched, loadOlder, loading, error, isPending, refetch } = useRuns(filter);
  const navigate = useNavigate({ from: '/runs' });
  const folded = useMemo(() => (filter.folded ?? '').split(',').filter(Boolean), [filter.folded]);
  const rows = useMemo(() => listRows(shown, folded), [shown, folded]);
  const order = useCallback(() => rows.flatMap((row) => ('run' in row ? [row.run.id] : [])), [rows]);
  const selection = useSelection(order);
  const projects = useMemo(() => new Set(all?.map((run) => run.project)), [all]);
  const compare = () => {
    if (selection.ids.size > 0 && selection.ids.size <= MAX_COMPARED) void navigate({ to: '/compare', search: { runs: writeSlots([...selection.ids]) } });
  };
  const fold = (group: Group) => {
    const next = folded.includes(group) ? folded.filter((each) => each !== group) : [...folded, group];
    void navigate({ search: (old) => ({ ...old, folded: next.join(',') || undefined }), replace: true });
  };
  useKeys([
    ['j', () => moveFocus(1)],
    ['k', () => moveFocus(-1)],
    ['x', () => selectFocused(selection)],
    ['c', compare],
    ['Escape', selection.clear],
  ]);
  return (
    <Page crumbs={[{ label: 'Runs' }]}>
      <div className="page-head">
        <h1>Runs</h1>
        <span className="push" />
        {all && all.length > 0 && <LaunchButton />}
      </div>
      {isPending && <SkeletonRows rows={8} />}
      {error && !all && <ProblemCard error={error} what="The runs could not be loaded" safe="Running work goes on." retry={() => void refetch()} />}
      {all?.length === 0 && (
        <Empty title="No runs yet" todo="Each run stands here with its state, progress and loss." cli="headrace launch --preset pipeline">
          <LaunchButton />
        </Empty>
      )}
      {all && all.length > 0 && (
        <>
          <Filters filter={filter} counted={countRuns(shown.length, searched ? null : all.length, more)} />
          {shown.length > 0 ? (
            <RunTable rows={rows} folded={folded} onFold={fold} withProject={projects.size > 1} selection={selection} />
          ) : (
            <Empty title="No run answers this filter" todo="Take a word out of the search, or choose all kinds." />
          )}
          {more && (
            <div className="row">
              <button className="btn" disabled={loading} onClick={loadOlder}>
                {loading ? 'Loading' : 'Show 1,000 older'}
              </button>
              <span className="small muted">{searched ? 'The name was looked for in all runs.' : `The newest ${formatStep(all.length)} runs are here. A search by name looks through all.`}</span>
            </div>
          )}
          <SelectionBar count={selection.ids.size} onCompare={compare} onClear={selection.clear} />
        </>
      )}
    </Page>
  );
}
