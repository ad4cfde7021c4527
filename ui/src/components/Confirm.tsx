// A dialog before something is lost. Where it cannot be undone, the name is typed.
import { Modal } from '@mantine/core';
import { useState, type ReactNode } from 'react';

export function Confirm({ opened, onClose, title, children, verb, keep = 'Keep it', name, pending, onConfirm }: {
  opened: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  verb: string;
  /** The other button. */
  keep?: string;
  /** Must be typed. */
  name: string;
  pending: boolean;
  onConfirm: () => void;
}) {
  const [typed, setTyped] = useState('');
  const ready = typed === name && !pending;
  return (
    <Modal opened={opened} onClose={onClose} title={title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) onConfirm();
        }}
      >
        <div className="muted">{children}</div>
        <label className="stack" style={{ gap: 4 }}>
          <span className="small strong">
            Type <code className="mono">{name}</code> to go on
          </span>
          <input className="field-input" value={typed} onChange={(e) => setTyped(e.target.value)} autoComplete="off" data-autofocus />
        </label>
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <button type="button" className="btn" onClick={onClose}>
            {keep}
          </button>
          <button type="submit" className="btn danger primary" aria-disabled={!ready}>
            {verb}
          </button>
        </div>
      </form>
    </Modal>
  );
}
