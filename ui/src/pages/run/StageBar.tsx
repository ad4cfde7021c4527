// The stages of a run as one bar, in the order in which they began.
import type { Run } from '../../api/queries';
import { shareOf } from '../../components/RunProgress';
import { isTerminal } from '../../components/state';
import { formatStep } from '../../figures/numbers';
import { spellOut } from '../../figures/words';

export function StageBar({ stages, state, label }: { stages: Run['progress']; state: Run['state']; label: (share: number) => string }) {
  const quiet = isTerminal(state);
  return (
    <ol className={`stage-bar ${quiet ? 'quiet' : ''}`} aria-label="Stages">
      {stages.map((stage, i) => {
        const share = shareOf(stage);
        const current = !quiet && share < 1;
        return (
          <li key={stage.stage} className={current ? 'current' : ''}>
            <span className="row small">
              <b>
                {i + 1} · {spellOut(stage.stage)}
              </b>
              <span className="muted clip">
                {share < 1 ? `${formatStep(stage.done)} of ${formatStep(stage.total)} ${stage.unit}` : `${formatStep(stage.total)} ${stage.unit}`}
              </span>
              <span className="push num muted">{label(share)}</span>
            </span>
            <span className="stage-track" role="progressbar" aria-label={spellOut(stage.stage)} aria-valuenow={Math.round(share * 100)} aria-valuemin={0} aria-valuemax={100}>
              <i style={{ width: `${share * 100}%` }} />
            </span>
          </li>
        );
      })}
    </ol>
  );
}
