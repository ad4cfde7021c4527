// On or off, at once. The word beside it says which, so that colour alone never does.
import './switch.css';

export function Switch({ label, on, words, pending = false, onChange }: { label: string; on: boolean; words: readonly [on: string, off: string]; pending?: boolean; onChange: (on: boolean) => void }) {
  return (
    <button type="button" role="switch" aria-checked={on} aria-label={label} aria-busy={pending} className="switch" onClick={() => !pending && onChange(!on)}>
      <span className="switch-track" aria-hidden />
      <span className="switch-word">{on ? words[0] : words[1]}</span>
    </button>
  );
}
