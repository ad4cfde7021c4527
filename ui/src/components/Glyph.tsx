// The shapes of states and outcomes, on a 16 px grid, drawn in the text's colour.
import type { ReactNode } from 'react';

const line = { fill: 'none', stroke: 'currentColor', strokeWidth: 1.6, strokeLinecap: 'round', strokeLinejoin: 'round' } as const;
const cut = { ...line, stroke: 'var(--surface)', strokeWidth: 1.8 };

const SHAPES = {
  running: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} opacity="0.35" />
      <path className="turning" d="M8 1.8A6.2 6.2 0 0 1 14.2 8" {...line} />
      <circle cx="8" cy="8" r="2.1" fill="currentColor" />
    </>
  ),
  completed: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="M5 8.2l2.1 2.1L11.2 6" {...cut} />
    </>
  ),
  failed: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="M5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6" {...cut} />
    </>
  ),
  crashed: (
    <>
      <path d="M8 1.2L15.4 14.4H.6z" fill="currentColor" stroke="currentColor" strokeLinejoin="round" />
      <path d="M8.8 5.4L6.6 9.4h2.8L7.4 13" {...cut} strokeWidth={1.4} />
    </>
  ),
  paused: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} />
      <path d="M6.4 5.8v4.4M9.6 5.8v4.4" {...line} />
    </>
  ),
  queued: <circle cx="8" cy="8" r="6.2" {...line} strokeDasharray="2.4 2.47" />,
  cancelling: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} strokeDasharray="2.4 2.47" />
      <path d="M5.6 8h4.8" {...line} />
    </>
  ),
  cancelled: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} />
      <path d="M3.8 12.2l8.4-8.4" {...line} />
    </>
  ),
  recovered: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="M8 11.4V4.8M5.2 7.4L8 4.6l2.8 2.8" {...cut} />
    </>
  ),
  not_recovered: (
    <>
      <path d="M8 .6L15.4 8 8 15.4.6 8z" fill="currentColor" />
      <path d="M8 4.8v6M5.6 8.6L8 11l2.4-2.4" {...cut} strokeWidth={1.6} />
    </>
  ),
  no_checkpoint: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} />
      <path d="M5.2 8h5.6" {...line} />
    </>
  ),
  proposed: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} />
      <path d="M8 4.6v4M8 11v.6" {...line} />
    </>
  ),
  done: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} />
      <path d="M5 8.2l2.1 2.1L11 6.2" {...line} />
    </>
  ),
  refused: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} />
      <path d="M4.2 11.8l7.6-7.6" {...line} />
    </>
  ),
  rejected: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} />
      <path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8" {...line} />
    </>
  ),
  verifying: (
    <>
      <circle cx="8" cy="8" r="6.2" {...line} strokeDasharray="2.4 2.47" />
      <circle cx="8" cy="8" r="2.1" fill="currentColor" />
    </>
  ),
} satisfies Record<string, ReactNode>;

export type GlyphName = keyof typeof SHAPES;

export function Glyph({ name, size = 16, label }: { name: GlyphName; size?: number; label?: string | undefined }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" role={label ? 'img' : undefined} aria-label={label} aria-hidden={label ? undefined : true}>
      {SHAPES[name]}
    </svg>
  );
}
