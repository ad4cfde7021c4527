// The runs in their groups; groups fold, and the URL remembers it.
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { RunSummary } from '../../api/queries';
import { groupOf, GROUPS, type Group } from '../../figures/groups';
import { RunRow } from './RunRow';
import type { Selection } from './useSelection';

const COLUMNS = 10;

function GroupRows({ group, runs, folded, onFold, ids, selection }: {
  group: Group;
  runs: RunSummary[];
  folded: boolean;
  onFold: () => void;
  ids: Set<string>;
  selection: Selection;
}) {
  if (runs.length === 0) return null;
  const Chevron = folded ? IconChevronRight : IconChevronDown;
  return (
    <tbody>
      <tr className="group-row">
        <th colSpan={COLUMNS} scope="rowgroup">
          <button onClick={onFold} aria-expanded={!folded}>
            <Chevron size={14} stroke={1.75} aria-hidden />
            <span>{group}</span>
            <span className="muted">{runs.length}</span>
          </button>
        </th>
      </tr>
      {!folded &&
        runs.map((run) => (
          <RunRow key={run.id} run={run} urgent={group === 'Needs you'} nested={run.parent_id != null && ids.has(run.parent_id)} selected={selection.ids.has(run.id)} onSelect={(range) => selection.toggle(run.id, range)} />
        ))}
    </tbody>
  );
}

export function RunTable({ runs, selection }: { runs: RunSummary[]; selection: Selection }) {
  const navigate = useNavigate({ from: '/runs' });
  const { folded = '' } = useSearch({ from: '/app/runs' });
  const closed = folded.split(',').filter(Boolean);
  const groups = useMemo(() => GROUPS.map((group) => ({ group, runs: runs.filter((run) => groupOf(run) === group) })), [runs]);
  const ids = useMemo(() => new Set(runs.map((run) => run.id)), [runs]);
  const fold = (group: Group) => {
    const next = closed.includes(group) ? closed.filter((g) => g !== group) : [...closed, group];
    void navigate({ search: (old) => ({ ...old, folded: next.join(',') || undefined }), replace: true });
  };
  return (
    <div className="card table-wrap">
      <table className="table runs-table">
        <thead>
          <tr>
            <th className="run-box">
              <span className="visually-hidden">Select</span>
            </th>
            <th className="run-state">
              <span className="visually-hidden">State</span>
            </th>
            <th>Run</th>
            <th>Progress</th>
            <th className="right">Loss</th>
            <th className="right only-wide">Held-out</th>
            <th className="right">Speed</th>
            <th className="right only-wide">Interventions</th>
            <th className="right only-wide">Created</th>
            <th className="right">Duration</th>
          </tr>
        </thead>
        {groups.map(({ group, runs: rows }) => (
          <GroupRows key={group} group={group} runs={rows} folded={closed.includes(group)} onFold={() => fold(group)} ids={ids} selection={selection} />
        ))}
      </table>
    </div>
  );
}
