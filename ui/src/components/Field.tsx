// A labelled input of a dialog, with its problem under it.
import { useId, type ReactNode } from 'react';
import './field.css';

export interface Described {
  id: string;
  'aria-invalid': boolean;
  'aria-describedby'?: string;
}

export function Field({ label, hint, problem, children }: { label: string; hint?: ReactNode; problem?: string | undefined; children: (described: Described) => ReactNode }) {
  const id = useId();
  const note = problem ?? hint;
  return (
    <div className="dialog-field">
      <label htmlFor={id} className="small strong">
        {label}
      </label>
      {children({ id, 'aria-invalid': Boolean(problem), ...(note ? { 'aria-describedby': `${id}-note` } : {}) })}
      {note && (
        <span id={`${id}-note`} className={problem ? 'small is-failed' : 'small muted'} role={problem ? 'alert' : undefined}>
          {note}
        </span>
      )}
    </div>
  );
}
