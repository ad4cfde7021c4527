// How a place along x is written.
import type { XKind } from './place';
import { formatCount, formatFlops, formatStep } from './numbers';
import { formatDuration } from './time';

export const X_NAMES: Record<XKind, string> = { step: 'Step', tokens: 'Tokens', flops: 'FLOPs', time: 'Time' };

const TEXTS: Record<XKind, { format: (value: number) => string; seconds: boolean }> = {
  step: { format: formatStep, seconds: false },
  tokens: { format: formatCount, seconds: false },
  flops: { format: formatFlops, seconds: false },
  time: { format: formatDuration, seconds: true },
};

export const xTextOf = (kind: XKind) => TEXTS[kind];
