// What can be done with the chosen runs.
import { IconGitCompare, IconX } from '@tabler/icons-react';
import { MAX_COMPARED } from '../../figures/compare';

export function SelectionBar({ count, onCompare, onClear }: { count: number; onCompare: () => void; onClear: () => void }) {
  if (count === 0) return null;
  const many = count > MAX_COMPARED;
  return (
    <div className="floating" role="region" aria-label="Selection">
      <span className="num">{count} selected</span>
      <button className="btn primary" onClick={onCompare} aria-disabled={many} title={many ? `At most ${MAX_COMPARED} runs` : undefined}>
        <IconGitCompare size={14} stroke={1.75} /> Compare <kbd className="only-wide">c</kbd>
      </button>
      <button className="btn icon" aria-label="Clear the selection" onClick={onClear}>
        <IconX size={14} stroke={1.75} />
      </button>
    </div>
  );
}
