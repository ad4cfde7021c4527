// Name, state, figures and controls of a run.
import { IconAlertTriangle } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { Run } from '../../api/queries';
import { Facts, type Fact } from '../../components/Facts';
import { useNow } from '../../components/live';
import { isTerminal, StatePill } from '../../components/state';
import { When } from '../../components/When';
import { formatCount, formatLoss, formatLr, formatNorm, formatPercent, formatRate, formatStep } from '../../figures/numbers';
import { elapsedSeconds, formatDuration } from '../../figures/time';
import { spellOut } from '../../figures/words';
import { Controls } from './Controls';
import { StageBar } from './StageBar';

type Shown = [key: string, name: string, format: (value: number) => string];

const HEADLINES: Shown[] = [
  ['loss', 'Loss', formatLoss],
  ['heldout_loss', 'Held-out loss', formatLoss],
  ['grad_norm', 'Gradient norm', formatNorm],
  ['lr', 'Learning rate', formatLr],
  ['tokens', 'Tokens', formatCount],
  ['tokens_per_second', 'Throughput', (v) => formatRate(v, 'tok/s')],
  ['documents_per_second', 'Throughput', (v) => formatRate(v, 'docs/s')],
];

function stepFact(run: Run): Fact[] {
  const stage = [...run.progress].reverse().find((item) => item.unit.startsWith('step')) ?? run.progress.at(-1);
  if (!stage || run.kind === 'pipeline') return [];
  const name = stage.unit.startsWith('step') ? 'Step' : spellOut(stage.unit || stage.stage);
  return [{ name, value: formatStep(stage.done), note: `of ${formatStep(stage.total)}` }];
}

function remaining(run: Run, elapsed: number | null): Fact[] {
  const stage = run.progress.at(-1);
  if (run.state !== 'running' || !stage || !elapsed || stage.done <= 0 || run.progress.length > 1) return [];
  const left = (elapsed * (stage.total - stage.done)) / stage.done;
  return [{ name: 'Remaining', value: `about ${formatDuration(left)}` }];
}

function RunFacts({ run }: { run: Run }) {
  const now = useNow(1000);
  const elapsed = elapsedSeconds(run.started_at ?? null, run.finished_at ?? null, now);
  const facts: Fact[] = [
    ...stepFact(run),
    ...HEADLINES.filter(([key]) => typeof run.headline[key] === 'number').map(([key, name, format]) => ({ name, value: format(run.headline[key] as number) })),
    { name: isTerminal(run.state) ? 'Took' : 'Running for', value: formatDuration(elapsed) },
    ...remaining(run, elapsed),
    { name: 'Attempt', value: run.attempt, note: `of ${run.max_attempts}` },
    { name: 'Pool', value: run.pool },
  ];
  return <Facts facts={facts} />;
}

function Reason({ run }: { run: Run }) {
  const text = run.error ?? run.state_reason;
  if (!text || run.state === 'completed') return null;
  const [first = '', ...rest] = text.split('\n');
  const kind = run.state === 'queued' || run.state === 'running' ? 'paused' : run.state;
  return (
    <div className={`reason-bar is-${kind}`} role="status">
      <IconAlertTriangle size={16} stroke={1.75} aria-hidden />
      <div className="clip-lines">
        <span>{first}</span>
        {rest.length > 0 && (
          <details>
            <summary>Details</summary>
            <pre className="mono">{rest.join('\n')}</pre>
          </details>
        )}
      </div>
    </div>
  );
}

export function RunHead({ run }: { run: Run }) {
  return (
    <header className="stack">
      <div className="page-head">
        <h1>{run.name}</h1>
        <StatePill state={run.state} />
        <span className="tag">{spellOut(run.kind)}</span>
        {run.tags.map((tag) => (
          <span key={tag} className="tag">
            {tag}
          </span>
        ))}
        {run.parent_id && (
          <Link to="/runs/$runId" params={{ runId: run.parent_id }} className="link small">
            {run.stage ? `${spellOut(run.stage)} of its pipeline` : 'Parent run'}
          </Link>
        )}
        {run.retry_of && (
          <Link to="/runs/$runId" params={{ runId: run.retry_of }} className="link small">
            Goes on from an earlier run
          </Link>
        )}
        <span className="small muted">
          <When time={run.created_at} />
        </span>
        <span className="push" />
        <Controls run={run} />
      </div>
      <Reason run={run} />
      <RunFacts run={run} />
      {run.progress.length > 0 && <StageBar stages={run.progress} state={run.state} label={(share) => formatPercent(share, 0)} />}
    </header>
  );
}
