// Interventions of a run, one a line.
import type { InterventionRecord } from '../../api/queries';
import { OutcomeGlyph, OUTCOMES } from '../../components/state';
import { formatStep } from '../../figures/numbers';
import { spellAction } from '../../figures/interventions';

export function InterventionList({ interventions, openId, onOpen }: {
  interventions: InterventionRecord[];
  openId: string | undefined;
  onOpen: (id: string | undefined) => void;
}) {
  return (
    <section className="card" aria-label="Interventions">
      <div className="card-head">
        <h2>Interventions</h2>
        <span className="small muted">{interventions.length || 'none so far'}</span>
      </div>
      {interventions.length > 0 && (
        <ul className="intervention-list">
          {interventions.map((item) => (
            <li key={item.id}>
              <button aria-pressed={item.id === openId} onClick={() => onOpen(item.id === openId ? undefined : item.id)}>
                <OutcomeGlyph outcome={item.outcome ?? 'verifying'} />
                <b className="num">{formatStep(item.step)}</b>
                <span className="clip">{spellAction(item.action)}</span>
                <span className="push muted small">{OUTCOMES[item.outcome ?? 'verifying']}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
