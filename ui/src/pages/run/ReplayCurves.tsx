// What would have been without an intervention: the curves of its replay side by side, and the verdict.
import { Link } from '@tanstack/react-router';
import { formatFigure, formatStep } from '../../figures/numbers';
import { type Curve, curvePath, readReplay } from '../../figures/replay';

const WIDTH = 236;
const HEIGHT = 72;
const LABELS: Record<string, string> = { with: 'with it', without: 'without', other: 'other actions' };
const COLORS: Record<string, string> = { with: 'var(--helped)', without: 'var(--harmful)', other: 'var(--verifying)' };

const ending = (curve: Curve): string => (curve.heldoutLoss === null ? 'did not get to the end' : `held-out loss ${formatFigure(curve.heldoutLoss)}`);

export function ReplayCurves({ evidence }: { evidence: Record<string, unknown> }) {
  const replay = readReplay(evidence);
  if (!replay) return null;
  const all = replay.curves.flatMap((curve) => curve.losses);
  const bounds = { from: replay.firstStep, to: replay.lastStep, low: Math.min(...all), high: Math.max(...all) };
  return (
    <div className="stack" style={{ gap: 4 }}>
      <p>
        Tried again with and without it: <strong>{replay.verdict}</strong>.
      </p>
      <svg width={WIDTH} height={HEIGHT} role="img" aria-label={`Loss with and without it from step ${formatStep(replay.firstStep)} to ${formatStep(replay.lastStep)}`}>
        {replay.curves.map((curve) => (
          <path key={curve.name} d={curvePath(curve, bounds, WIDTH, HEIGHT)} fill="none" stroke={COLORS[curve.name] ?? 'currentColor'} strokeWidth={1.5} strokeDasharray={curve.name === 'without' ? '4 3' : undefined} />
        ))}
      </svg>
      <dl className="pairs">
        {replay.curves.map((curve) => (
          <div key={curve.name}>
            <dt style={{ color: COLORS[curve.name] }}>{LABELS[curve.name] ?? curve.name}</dt>
            <dd className="num">{ending(curve)}</dd>
          </div>
        ))}
      </dl>
      {replay.run && (
        <Link to="/runs/$runId" params={{ runId: replay.run }} className="tiny">
          The replay's own run
        </Link>
      )}
    </div>
  );
}
