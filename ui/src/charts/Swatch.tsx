// A short piece of a line, as it stands in the chart.
export function Swatch({ color, dash, opacity = 1 }: { color: string; dash?: number[] | undefined; opacity?: number }) {
  return (
    <svg width="18" height="6" aria-hidden style={{ flex: 'none' }}>
      <line x1="0" x2="18" y1="3" y2="3" stroke={`var(${color})`} strokeOpacity={opacity} strokeWidth="2" strokeDasharray={dash?.join(' ')} />
    </svg>
  );
}
