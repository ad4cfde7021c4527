// Add a run to the view: search, Enter.
import { Popover } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { runsQuery } from '../../api/queries';
import { StateGlyph } from '../../components/state';
import { When } from '../../components/When';
import { filterRuns } from '../../figures/groups';

const SHOWN = 30;

export function RunPicker({ taken, onAdd, primary = false }: { taken: readonly string[]; onAdd: (id: string) => void; primary?: boolean }) {
  const [opened, popover] = useDisclosure(false);
  const [q, setQ] = useState('');
  const { data = [] } = useQuery(runsQuery);
  const runs = filterRuns(data, { q, children: true }).filter((run) => run.kind === 'training' && !taken.includes(run.id));
  const add = (id: string) => {
    onAdd(id);
    setQ('');
  };
  return (
    <Popover opened={opened} onChange={(open) => !open && popover.close()} position="bottom-end" shadow="sm" trapFocus withinPortal>
      <Popover.Target>
        <button className={`btn ${primary ? 'primary' : ''}`} onClick={popover.toggle} aria-expanded={opened}>
          <IconPlus size={14} stroke={1.75} /> Add run
        </button>
      </Popover.Target>
      <Popover.Dropdown className="run-picker">
        <input
          className="field-input"
          type="search"
          aria-label="Search training runs"
          placeholder="Search training runs"
          value={q}
          data-autofocus
          onChange={(event) => setQ(event.target.value)}
          onKeyDown={(event) => event.key === 'Enter' && runs[0] && add(runs[0].id)}
        />
        <ul>
          {runs.slice(0, SHOWN).map((run) => (
            <li key={run.id}>
              <button onClick={() => add(run.id)}>
                <StateGlyph state={run.state} />
                <span className="clip">{run.name}</span>
                <span className="push tiny muted">
                  <When time={run.created_at} />
                </span>
              </button>
            </li>
          ))}
        </ul>
        {runs.length === 0 && <p className="small muted">No other training run{q && ` has “${q}” in it`}.</p>}
        {runs.length > SHOWN && <p className="tiny muted">{runs.length - SHOWN} more: search for them</p>}
      </Popover.Dropdown>
    </Popover>
  );
}
