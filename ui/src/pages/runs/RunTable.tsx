// The runs in their groups; groups fold, and the URL remembers it. Of a long list only what is in view is drawn.
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useWindowVirtualizer, type VirtualItem } from '@tanstack/react-virtual';
import { useLayoutEffect, useRef, useState } from 'react';
import type { RunSummary } from '../../api/queries';
import type { Group, ListRow } from '../../figures/groups';
import { formatStep } from '../../figures/numbers';
import { RunRow } from './RunRow';
import type { Selection } from './useSelection';

const COLUMNS = 10;
/** Up to here all rows are drawn, so that the browser's own search finds them. */
const MAX_DRAWN = 100;
const ROW_PX = { wide: 35, phone: 112 };
const OVERSCAN = 12;

function Head({ group, count, folded, onFold }: { group: Group; count: number; folded: boolean; onFold: () => void }) {
  const Chevron = folded ? IconChevronRight : IconChevronDown;
  return (
    <th colSpan={COLUMNS} scope="rowgroup">
      <button onClick={onFold} aria-expanded={!folded}>
        <Chevron size={14} stroke={1.75} aria-hidden />
        <span>{group}</span>
        <span className="muted num">{formatStep(count)}</span>
      </button>
    </th>
  );
}

/** Which rows to draw, and how much empty height stands for the others. */
function useDrawn(count: number) {
  const table = useRef<HTMLTableElement>(null);
  const [above, setAbove] = useState(0);
  useLayoutEffect(() => {
    const [box, head] = [table.current?.getBoundingClientRect(), table.current?.tHead?.offsetHeight];
    if (box) setAbove(box.top + window.scrollY + (head ?? 0));
  }, [count]);
  const phone = window.matchMedia('(max-width: 767px)').matches;
  const all = count <= MAX_DRAWN;
  const virtual = useWindowVirtualizer({ count, estimateSize: () => (phone ? ROW_PX.phone : ROW_PX.wide), overscan: OVERSCAN, scrollMargin: above, enabled: !all });
  const items: Pick<VirtualItem, 'index' | 'start' | 'end'>[] = all ? Array.from({ length: count }, (_, index) => ({ index, start: 0, end: 0 })) : virtual.getVirtualItems();
  const before = all ? 0 : Math.max(0, (items[0]?.start ?? above) - above);
  const after = all ? 0 : Math.max(0, virtual.getTotalSize() - ((items.at(-1)?.end ?? above) - above));
  return { table, items, before, after, measure: all ? undefined : virtual.measureElement };
}

const Spacer = ({ height }: { height: number }) =>
  height > 0 && (
    <tbody aria-hidden>
      <tr style={{ height }}>
        <td colSpan={COLUMNS} className="run-spacer" style={{ height }} />
      </tr>
    </tbody>
  );

export function RunTable({ rows, folded, onFold, withProject, selection }: {
  rows: readonly ListRow<RunSummary>[];
  folded: readonly string[];
  onFold: (group: Group) => void;
  /** Several projects stand in the list. */
  withProject: boolean;
  selection: Selection;
}) {
  const { table, items, before, after, measure } = useDrawn(rows.length);
  const ids = new Set(rows.map((row) => ('run' in row ? row.run.id : '')));
  return (
    <div className="card table-wrap">
      <table ref={table} className="table runs-table" aria-rowcount={rows.length + 1}>
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
        <Spacer height={before} />
        <tbody>
          {items.map(({ index }) => {
            const row = rows[index];
            if (!row) return null;
            const placed = { ref: measure, 'data-index': index };
            if (!('run' in row))
              return (
                <tr key={row.group} className="group-row" {...placed}>
                  <Head group={row.group} count={row.count} folded={folded.includes(row.group)} onFold={() => onFold(row.group)} />
                </tr>
              );
            const { run } = row;
            return (
              <RunRow
                key={run.id}
                run={run}
                urgent={row.group === 'Needs you'}
                nested={run.parent_id != null && ids.has(run.parent_id)}
                withProject={withProject}
                selected={selection.ids.has(run.id)}
                onSelect={(range) => selection.toggle(run.id, range)}
                placed={placed}
              />
            );
          })}
        </tbody>
        <Spacer height={after} />
      </table>
    </div>
  );
}
