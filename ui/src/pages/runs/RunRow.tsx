// One run in the list.
import { Link } from '@tanstack/react-router';
import type { Ref } from 'react';
import type { RunSummary } from '../../api/queries';
import { useNow } from '../../components/live';
import { RunProgress } from '../../components/RunProgress';
import { StateGlyph } from '../../components/state';
import { When } from '../../components/When';
import { formatLoss, formatRate, formatStep, MISSING } from '../../figures/numbers';
import { elapsedSeconds, formatDuration } from '../../figures/time';
import { spellOut } from '../../figures/words';

const SPEED = [
  ['tokens_per_second', 'tok/s'],
  ['documents_per_second', 'docs/s'],
  ['items_per_second', 'items/s'],
] as const;

/** What a person may do, where the service gave no reason. */
const NEEDS: Partial<Record<RunSummary['state'], string>> = {
  paused: 'Paused. Resume it, or stop it',
  crashed: 'The process went away. Launch it again; checkpoints are kept',
  queued: 'Waits for a worker',
};

function speedOf(run: RunSummary): string {
  for (const [key, unit] of SPEED) if (typeof run.headline[key] === 'number') return formatRate(run.headline[key], unit);
  return MISSING;
}

function Elapsed({ run }: { run: RunSummary }) {
  const now = useNow(1000);
  return <>{formatDuration(elapsedSeconds(run.started_at ?? null, run.finished_at ?? null, now))}</>;
}

export function RunRow({ run, urgent, nested, withProject, selected, onSelect, placed }: {
  run: RunSummary;
  urgent: boolean;
  nested: boolean;
  withProject: boolean;
  selected: boolean;
  onSelect: (range: boolean) => void;
  placed: { ref: Ref<HTMLTableRowElement> | undefined; 'data-index': number };
}) {
  const finished = run.finished_at !== null;
  return (
    <tr className={`run-row ${finished ? 'finished' : ''}`} aria-selected={selected} {...placed}>
      <td className="run-box">
        <input type="checkbox" aria-label={`Select ${run.name}`} checked={selected} onClick={(event) => onSelect(event.shiftKey)} readOnly />
      </td>
      <td className="run-state">
        <StateGlyph state={run.state} />
      </td>
      <td className="run-name">
        <div className="row">
          {nested && (
            <span className="muted" aria-hidden>
              ↳
            </span>
          )}
          <Link to="/runs/$runId" params={{ runId: run.id }} className="strong clip run-link" title={run.name} data-row={run.id}>
            {run.name}
          </Link>
          <span className="tag">{spellOut(run.kind)}</span>
          {withProject && (
            <span className="small muted clip run-project" title={`Project ${run.project}`}>
              {run.project}
            </span>
          )}
          {run.tags.slice(0, 3).map((tag) => (
            <span key={tag} className="tag only-wide clip" title={tag}>
              {tag}
            </span>
          ))}
          {!urgent && run.state === 'failed' && <span className="small clip is-failed" title={run.state_reason}>{run.state_reason}</span>}
          {!urgent && run.state === 'queued' && <span className="small clip muted">{run.state_reason}</span>}
        </div>
        {urgent && <div className={`small reason is-${run.state === 'queued' ? 'paused' : run.state}`}>{run.state_reason || NEEDS[run.state]}</div>}
      </td>
      <td className="run-progress">
        <RunProgress run={run} />
      </td>
      <td className="num strong" data-label="Loss">
        {formatLoss(run.headline.loss)}
      </td>
      <td className="num only-wide">{formatLoss(run.headline.heldout_loss)}</td>
      <td className="num" data-label="Speed">
        {finished ? MISSING : speedOf(run)}
      </td>
      <td className="num only-wide">{run.num_interventions ? formatStep(run.num_interventions) : MISSING}</td>
      <td className="num only-wide muted">
        <When time={run.created_at} />
      </td>
      <td className="num" data-label="Duration">
        <Elapsed run={run} />
      </td>
    </tr>
  );
}
