// A secret or a link that is shown once, with a button that copies it.
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useState } from 'react';
import './copied.css';

export function Copied({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false);
  const copy = () => void navigator.clipboard.writeText(text).then(() => setDone(true));
  return (
    <div className="copied">
      <code className="mono" aria-label={label} tabIndex={0}>
        {text}
      </code>
      <button type="button" className="btn" onClick={copy}>
        {done ? <IconCheck size={16} stroke={1.75} /> : <IconCopy size={16} stroke={1.75} />}
        <span aria-live="polite">{done ? 'Copied' : 'Copy'}</span>
      </button>
    </div>
  );
}
