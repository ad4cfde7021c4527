// How strongly curves are smoothed, in per cent.
import './smoothing.css';

export const DEFAULT_SMOOTHING = 60;

export function Smoothing({ value, onChange }: { value: number; onChange: (value: number) => void }) {
  return (
    <label className="smoothing tiny">
      Smoothing
      <input type="range" min={0} max={98} step={2} value={value} onChange={(event) => onChange(Number(event.target.value))} />
      <output className="num">{value}</output>
    </label>
  );
}
