// All runs, grouped by what they want of a person.
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo } from 'react';
import { runsQuery } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { useKeys } from '../../components/keys';
import { SearchBox } from '../../components/SearchBox';
import { Segmented } from '../../components/Segmented';
import { focusedRow, moveFocus, rowIds } from '../../components/rows';
import { Page } from '../../components/Shell';
import { MAX_COMPARED, writeSlots } from '../../figures/compare';
import { filterRuns, type RunFilter } from '../../figures/groups';
import { spellOut } from '../../figures/words';
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

function Filters({ filter, shown, total }: { filter: RunFilter; shown: number; total: number }) {
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
      <span className="muted small push only-wide">{shown === total ? `${total} runs` : `${shown} of ${total} runs`}</span>
    </div>
  );
}

function selectFocused(selection: Selection) {
  const id = focusedRow();
  if (id) selection.toggle(id);
}

export function RunsPage() {
  const filter = useSearch({ from: '/app/runs' });
  const { data, error, isPending, refetch } = useQuery(runsQuery);
  const navigate = useNavigate();
  const selection = useSelection(rowIds);
  const compare = () => {
    if (selection.ids.size > 0 && selection.ids.size <= MAX_COMPARED) void navigate({ to: '/compare', search: { runs: writeSlots([...selection.ids]) } });
  };
  useKeys([
    ['j', () => moveFocus(1)],
    ['k', () => moveFocus(-1)],
    ['x', () => selectFocused(selection)],
    ['c', compare],
    ['Escape', selection.clear],
  ]);
  const runs = useMemo(() => filterRuns(data ?? [], filter), [data, filter]);
  return (
    <Page crumbs={[{ label: 'Runs' }]}>
      <div className="page-head">
        <h1>Runs</h1>
        <span className="push" />
        {data && data.length > 0 && <LaunchButton />}
      </div>
      {isPending && <SkeletonRows rows={8} />}
      {error && !data && <ProblemCard error={error} what="The runs could not be loaded" safe="Running work goes on." retry={() => void refetch()} />}
      {data?.length === 0 && (
        <Empty title="No runs yet" todo="Each run stands here with its state, progress and loss." cli="headrace launch --preset pipeline">
          <LaunchButton />
        </Empty>
      )}
      {data && data.length > 0 && (
        <>
          <Filters filter={filter} shown={runs.length} total={data.length} />
          {runs.length > 0 ? <RunTable runs={runs} selection={selection} /> : <Empty title="No run answers this filter" todo="Take a word out of the search, or choose all kinds." />}
          <SelectionBar count={selection.ids.size} onCompare={compare} onClear={selection.clear} />
        </>
      )}
    </Page>
  );
}
