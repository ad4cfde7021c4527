// Learning rate and clip as they are now.
interface Known {
  headline: Record<string, number | null>;
  spec: Record<string, unknown>;
}

export interface RateNow {
  lr: number | null;
  /** What the schedule alone would say. */
  scheduled: number | null;
  clip: number | null;
}

/** `lr` is `lr_scale` times the schedule; without the series the scale is 1. */
export function rateNow(run: Known, series: readonly { key: string; last_value: number | null }[]): RateNow {
  const last = (key: string) => series.find((item) => item.key === key)?.last_value ?? null;
  const lr = last('lr') ?? run.headline['lr'] ?? null;
  const scale = last('lr_scale') ?? 1;
  const clipping = run.spec['clipping'] as { limit?: unknown } | undefined;
  return { lr, scheduled: lr !== null && scale > 0 ? lr / scale : null, clip: typeof clipping?.limit === 'number' ? clipping.limit : null };
}
