// Learning rate and clip of a running training: the value now, the new one, and what it means.
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { seriesQuery, type Run } from '../../api/queries';
import { formatFigure, formatLr } from '../../figures/numbers';
import { rateNow } from '../../figures/rates';
import type { SendCommand } from '../../components/useCommand';

function Setting({ label, now, value, onChange, preview, verb, ready, onSubmit }: {
  label: string;
  now: string;
  value: string;
  onChange: (value: string) => void;
  preview: ReactNode;
  verb: string;
  ready: boolean;
  onSubmit: () => void;
}) {
  return (
    <form
      className="stack"
      style={{ gap: 6 }}
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) onSubmit();
      }}
    >
      <div className="row small">
        <b className="strong">{label}</b>
        <span className="push muted num">now {now}</span>
      </div>
      <div className="row">
        <input className="field-input" inputMode="decimal" aria-label={`New ${label.toLowerCase()}`} value={value} onChange={(event) => onChange(event.target.value)} aria-invalid={value !== '' && !ready} />
        <button type="submit" className="btn primary" aria-disabled={!ready}>
          {verb}
        </button>
      </div>
      <span className="tiny muted">{value !== '' && !ready ? 'A number above 0' : preview}</span>
    </form>
  );
}

const positive = (text: string): number | null => {
  const value = Number(text);
  return text.trim() !== '' && Number.isFinite(value) && value > 0 ? value : null;
};

export function RateForm({ run, command, close }: { run: Run; command: SendCommand; close: () => void }) {
  const { data: series } = useQuery(seriesQuery(run.id));
  const { lr, scheduled, clip } = rateNow(run, series ?? []);
  const [rate, setRate] = useState('');
  const [limit, setLimit] = useState('');
  const [wanted, wantedClip] = [positive(rate), positive(limit)];
  const scale = wanted !== null && scheduled ? wanted / scheduled : null;
  const send = (kind: 'set_lr_scale' | 'set_clip', value: number) => {
    command.mutate({ kind, arguments: { value } });
    close();
  };
  return (
    <>
      <Setting
        label="Learning rate"
        now={formatLr(lr)}
        value={rate}
        onChange={setRate}
        ready={scale !== null}
        verb="Set LR"
        preview={scale === null ? (scheduled ? `The schedule says ${formatLr(scheduled)}; what you set stays a factor of it.` : 'Not known before the first step.') : `${formatFigure(scale)} of the schedule from the next step on, to its end.`}
        onSubmit={() => scale !== null && send('set_lr_scale', scale)}
      />
      <Setting
        label="Clip"
        now={clip === null ? 'from the spec' : formatFigure(clip)}
        value={limit}
        onChange={setLimit}
        ready={wantedClip !== null}
        verb="Set clip"
        preview="The largest gradient norm that is left as it is."
        onSubmit={() => wantedClip !== null && send('set_clip', wantedClip)}
      />
    </>
  );
}
