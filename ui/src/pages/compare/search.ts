// What of the view of several runs stands in the URL.
import { X_KINDS, type XKind } from '../../figures/place';

export interface CompareSearch {
  runs?: string | undefined;
  base?: string | undefined;
  metric?: string | undefined;
  x?: XKind | undefined;
  log?: true | undefined;
  smooth?: number | undefined;
  from?: number | undefined;
  to?: number | undefined;
  all?: true | undefined;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const whole = (value: unknown): number | undefined => (typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined);

export function readCompareSearch(raw: Record<string, unknown>): CompareSearch {
  const x = X_KINDS.find((kind) => kind === raw['x']);
  const smooth = whole(raw['smooth']);
  return {
    runs: text(raw['runs']),
    base: text(raw['base']),
    metric: text(raw['metric']),
    x: x === 'step' ? undefined : x,
    log: raw['log'] === true ? true : undefined,
    smooth: smooth === undefined ? undefined : Math.min(98, smooth),
    from: whole(raw['from']),
    to: whole(raw['to']),
    all: raw['all'] === true ? true : undefined,
  };
}
