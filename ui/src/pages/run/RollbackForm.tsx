// Back to a checkpoint: which one, and what it costs.
import { useState } from 'react';
import type { Run } from '../../api/queries';
import { When } from '../../components/When';
import { formatStep } from '../../figures/numbers';
import type { SendCommand } from '../../components/useCommand';

const SHOWN = 30;

/** Steps of the checkpoints that the service has, the newest first. */
export function checkpointSteps(run: Pick<Run, 'artifacts'>): number[] {
  const steps = run.artifacts.filter((item) => item.kind === 'checkpoint' && item.step != null).map((item) => item.step as number);
  return [...new Set(steps)].sort((a, b) => b - a);
}

export function RollbackForm({ run, command, close }: { run: Run; command: SendCommand; close: () => void }) {
  const steps = checkpointSteps(run);
  const [chosen, setChosen] = useState(steps[0]);
  const done = run.progress.find((stage) => stage.unit.startsWith('step'))?.done ?? 0;
  if (chosen === undefined) return <p className="muted">No checkpoint has been stored yet. “Checkpoint” writes one.</p>;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        command.mutate({ kind: 'rollback', arguments: { step: chosen } });
        close();
      }}
    >
      <div className="row small">
        <b className="strong">Roll back to</b>
        <span className="push muted">
          <When time={run.last_step_at} />: step {formatStep(done)}
        </span>
      </div>
      <fieldset className="choices" aria-label="Checkpoint">
        {steps.slice(0, SHOWN).map((step) => (
          <label key={step}>
            <input type="radio" name="checkpoint" checked={step === chosen} onChange={() => setChosen(step)} />
            <span className="num">step {formatStep(step)}</span>
            <span className="push tiny muted num">{formatStep(Math.max(0, done - step))} steps again</span>
          </label>
        ))}
      </fieldset>
      <p className="tiny muted">The steps since then are done again on a new branch; their curves stay, apart. Batches and learning rate are as they were.</p>
      <button type="submit" className="btn primary">
        Roll back to step {formatStep(chosen)}
      </button>
    </form>
  );
}
