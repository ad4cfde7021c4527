// The replay of an intervention, as it stands in the evidence.
export interface Curve {
  name: string;
  steps: number[];
  losses: number[];
  /** Null when it did not get to the end. */
  heldoutLoss: number | null;
}

export interface Replay {
  verdict: string;
  run: string | null;
  firstStep: number;
  lastStep: number;
  curves: Curve[];
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.map(Number) : []);

/** Null when none was made. */
export function readReplay(evidence: Record<string, unknown>): Replay | null {
  const replay = evidence.replay;
  if (!isObject(replay) || !isObject(replay.curves)) return null;
  const curves = Object.entries(replay.curves)
    .filter((entry): entry is [string, Record<string, unknown>] => isObject(entry[1]))
    .map(([name, curve]) => readCurve(name, curve));
  if (!curves.some((curve) => curve.losses.length > 1)) return null;
  return {
    verdict: String(replay.verdict),
    run: typeof replay.replayed_by === 'string' ? replay.replayed_by : null,
    firstStep: Number(replay.first_step ?? curves[0]?.steps[0] ?? 0),
    lastStep: Number(replay.last_step ?? curves[0]?.steps.at(-1) ?? 0),
    curves,
  };
}

function readCurve(name: string, curve: Record<string, unknown>): Curve {
  const points = numbers(curve.steps).map((step, index) => [step, numbers(curve.losses)[index] ?? NaN] as const);
  const finite = points.filter(([, loss]) => Number.isFinite(loss));
  const end = curve.heldout_loss;
  return { name, steps: finite.map(([step]) => step), losses: finite.map(([, loss]) => loss), heldoutLoss: typeof end === 'number' && Number.isFinite(end) ? end : null };
}

/** A path in a box of so many pixels, two left free at the rim. */
export function curvePath(curve: Curve, bounds: { from: number; to: number; low: number; high: number }, width: number, height: number): string {
  const across = (step: number) => 2 + ((step - bounds.from) / Math.max(bounds.to - bounds.from, 1)) * (width - 4);
  const up = (loss: number) => height - 2 - ((loss - bounds.low) / Math.max(bounds.high - bounds.low, 1e-9)) * (height - 4);
  return curve.steps.map((step, index) => `${index ? 'L' : 'M'}${across(step).toFixed(1)} ${up(curve.losses[index] ?? bounds.low).toFixed(1)}`).join('');
}
