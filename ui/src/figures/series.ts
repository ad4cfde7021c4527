// What is known of a series by its name: how its values are written, and which way is good.
import { formatCount, formatFigure, formatFlops, formatLoss, formatLr, formatNorm, formatPercent, formatRate } from './numbers';

export function formatOf(key: string): (value: number | null) => string {
  if (key.endsWith('loss')) return formatLoss;
  if (key === 'lr') return formatLr;
  if (key.endsWith('norm')) return formatNorm;
  if (key.endsWith('_per_second')) return (value) => formatRate(value, '');
  if (key === 'tokens') return formatCount;
  if (key === 'flops') return formatFlops;
  if (key === 'mfu' || key.endsWith('_share')) return (value) => formatPercent(value);
  return formatFigure;
}

export const isLowerBetter = (key: string): boolean => key.endsWith('loss') || key === 'bits_per_byte' || key === 'perplexity';
