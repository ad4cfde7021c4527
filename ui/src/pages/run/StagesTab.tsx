// A pipeline's stages: each is a run of its own.
import { Link } from '@tanstack/react-router';
import type { Run, RunSummary } from '../../api/queries';
import { Empty } from '../../components/feedback';
import { useNow } from '../../components/live';
import { RunProgress } from '../../components/RunProgress';
import { StateGlyph, StatePill } from '../../components/state';
import { formatLoss } from '../../figures/numbers';
import { elapsedSeconds, formatDuration } from '../../figures/time';
import { spellOut } from '../../figures/words';

const ORDER = ['curation', 'training', 'evaluation', 'release'];

function Stage({ name, child }: { name: string; child: RunSummary | undefined }) {
  const now = useNow(1000);
  if (!child)
    return (
      <li className="stage-card waiting">
        <span className="muted">{spellOut(name)}</span>
        <span className="tiny muted">begins when the one before is done</span>
      </li>
    );
  const loss = child.headline.heldout_loss ?? child.headline.loss;
  return (
    <li className="stage-card">
      <div className="row">
        <StateGlyph state={child.state} />
        <Link to="/runs/$runId" params={{ runId: child.id }} className="strong stage-link">
          {spellOut(name)}
        </Link>
        <span className="push">
          <StatePill state={child.state} />
        </span>
      </div>
      <div className="small muted clip">{child.name}</div>
      <RunProgress run={child} />
      <div className="row small">
        <span className="muted">{formatDuration(elapsedSeconds(child.started_at ?? null, child.finished_at ?? null, now))}</span>
        {loss != null && <span className="push num">loss {formatLoss(loss)}</span>}
        {child.num_interventions ? <span className="num muted">{child.num_interventions} interventions</span> : null}
      </div>
      {child.state_reason && child.state !== 'completed' && <p className={`small is-${child.state}`}>{child.state_reason}</p>}
    </li>
  );
}

export function StagesTab({ run }: { run: Run }) {
  const known = new Map<string, RunSummary>();
  for (const child of run.children) known.set(child.stage ?? child.kind, child);
  const expected = run.kind === 'pipeline' ? ORDER : [];
  const names = [...expected, ...[...known.keys()].filter((name) => !expected.includes(name))];
  if (names.length === 0) return <Empty title="No stages yet" todo="Each run that this one launches stands here." />;
  return (
    <ol className="stage-cards" aria-label={run.kind === 'pipeline' ? 'Stages of the pipeline' : 'Runs of this one'}>
      {names.map((name) => (
        <Stage key={name} name={name} child={known.get(name)} />
      ))}
    </ol>
  );
}
