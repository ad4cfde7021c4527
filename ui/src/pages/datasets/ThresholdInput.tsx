// The threshold, typed. What is no number is not sent on.
import { useState } from 'react';
import type { Histogram } from '../../figures/histograms';

export function ThresholdInput({ value, bins, onChange }: { value: number | null; bins: Histogram; onChange: (value: number) => void }) {
  const [typed, setTyped] = useState<string | null>(null);
  const whole = bins.edges.every(Number.isInteger);
  const read = (text: string): number | null => {
    const number = Number(text.replace(',', '.').trim());
    if (text.trim() === '' || !Number.isFinite(number)) return null;
    return whole ? Math.round(number) : number;
  };
  const bad = typed !== null && read(typed) === null;
  return (
    <input
      className="field-input threshold-input"
      aria-label="Threshold"
      aria-invalid={bad}
      inputMode="decimal"
      placeholder="off"
      value={typed ?? (value === null ? '' : String(value))}
      onChange={(event) => {
        setTyped(event.target.value);
        const next = read(event.target.value);
        if (next !== null) onChange(next);
      }}
      onBlur={() => setTyped(null)}
      onKeyDown={(event) => {
        if (event.key === 'Enter' || event.key === 'Escape') event.currentTarget.blur();
      }}
    />
  );
}
