// What is asked for less often: leave batches out, and what the controller may do.
import { Modal } from '@mantine/core';
import { useState } from 'react';
import type { Run } from '../../api/queries';
import { formatStep } from '../../figures/numbers';
import type { SendCommand } from '../../components/useCommand';

const MODES = [
  ['shadow', 'Shadow', 'It only says what it would do.'],
  ['approve', 'Approve', 'It proposes, and the run waits for a person’s yes.'],
  ['auto', 'Auto', 'It acts within its budget by itself.'],
] as const;

export type Steering = 'skip' | 'mode';

function SkipForm({ send }: { send: (count: number) => void }) {
  const [text, setText] = useState('1');
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (count > 0) send(count);
      }}
    >
      <label className="stack" style={{ gap: 4 }}>
        <span className="small strong">How many of the batches that come next</span>
        <input className="field-input" inputMode="numeric" value={text} onChange={(event) => setText(event.target.value)} aria-invalid={count === 0} data-autofocus />
      </label>
      <p className="muted small">{count === 0 ? 'A whole number from 1 on.' : 'They are left out for good; the number of steps stays.'}</p>
      <button type="submit" className="btn primary" aria-disabled={count === 0}>
        Skip {count === 1 ? '1 batch' : `${formatStep(count)} batches`}
      </button>
    </form>
  );
}

function ModeForm({ now, send }: { now: string; send: (mode: string) => void }) {
  const [chosen, setChosen] = useState(now);
  return (
    <form
      className="stack popover-form-body"
      onSubmit={(event) => {
        event.preventDefault();
        send(chosen);
      }}
    >
      <fieldset className="mode-choices" aria-label="Mode of the controller">
        {MODES.map(([mode, label, what]) => (
          <label key={mode}>
            <input type="radio" name="mode" checked={mode === chosen} onChange={() => setChosen(mode)} />
            <span>
              <b className="strong">{label}</b>
              {mode === now && <span className="tag">in the spec</span>}
              <br />
              <span className="small muted">{what}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <button type="submit" className="btn primary">
        Set the mode
      </button>
    </form>
  );
}

export function SteerDialog({ run, what, command, onClose }: { run: Run; what: Steering | null; command: SendCommand; onClose: () => void }) {
  const monitoring = run.spec['monitoring'] as { mode?: string } | undefined;
  return (
    <Modal opened={what !== null} onClose={onClose} title={what === 'skip' ? 'Skip batches' : 'Controller'} size="sm" closeButtonProps={{ 'aria-label': 'Close' }}>
      {what === 'skip' && (
        <SkipForm
          send={(batches) => {
            command.mutate({ kind: 'skip', arguments: { batches } });
            onClose();
          }}
        />
      )}
      {what === 'mode' && (
        <ModeForm
          now={monitoring?.mode ?? 'auto'}
          send={(mode) => {
            command.mutate({ kind: 'set_mode', arguments: { mode } });
            onClose();
          }}
        />
      )}
    </Modal>
  );
}
