// A curve without axes.
export function Sparkline({ values, width, height, label, color = 'var(--text2)' }: { values: number[]; width: number; height: number; label: string; color?: string }) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const span = high - low || 1;
  const points = values.map((value, i) => `${(i / Math.max(1, values.length - 1)) * width},${height - 1.5 - ((value - low) / span) * (height - 3)}`);
  return (
    <svg width={width} height={height} role="img" aria-label={label} style={{ flex: 'none' }}>
      <polyline points={points.join(' ')} fill="none" stroke={color} strokeWidth="1.25" strokeLinejoin="round" />
    </svg>
  );
}
