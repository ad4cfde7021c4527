// What needs a person: proposals with their buttons, runs that wait or broke, findings nobody has seen.
import { IconAlertCircle, IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';
import type { Schemas } from '../../api/client';
import type { RunSummary } from '../../api/queries';
import { Approval } from '../../components/Approval';
import { ProblemCard } from '../../components/feedback';
import { useNow } from '../../components/live';
import { OutcomeGlyph, StateGlyph, type RunState } from '../../components/state';
import { needsOf, type Need } from '../../figures/needs';
import { spellAction } from '../../figures/interventions';
import { formatStep } from '../../figures/numbers';

const FIRST = 8;

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function NeedRow({ need }: { need: Need }) {
  const urgent = need.kind === 'findings' && need.critical;
  const Icon = urgent ? IconAlertTriangle : IconAlertCircle;
  return (
    <li className="need">
      <span className="need-glyph">
        {need.kind === 'run' ? (
          <StateGlyph state={need.state as RunState} />
        ) : (
          <span className={urgent ? 'is-failed' : 'is-paused'}>
            <Icon size={16} stroke={1.75} role="img" aria-label={urgent ? 'Critical finding' : 'Finding'} />
          </span>
        )}
      </span>
      <div className="need-text">
        <Link to="/runs/$runId" params={{ runId: need.id }} className="strong clip need-link" data-row={need.id}>
          {need.name}
        </Link>
        <p className={`small ${need.kind === 'run' ? `is-${need.state === 'queued' ? 'paused' : need.state}` : 'muted'}`}>
          {need.why}
          {need.kind === 'findings' && need.count > 1 && ` And ${need.count - 1} more.`}
        </p>
      </div>
      <Link to="/runs/$runId" params={{ runId: need.id }} className="btn compact" tabIndex={-1} aria-hidden>
        {need.kind === 'findings' ? 'Look' : need.state === 'failed' || need.state === 'crashed' ? 'Open' : 'Review'}
      </Link>
    </li>
  );
}

function ProposalRow({ proposal }: { proposal: Schemas['Proposal'] }) {
  const { intervention } = proposal;
  return (
    <li className="need">
      <span className="need-glyph">
        <OutcomeGlyph outcome="proposed" />
      </span>
      <div className="need-text">
        <Link to="/runs/$runId" params={{ runId: proposal.run_id }} search={{ iv: intervention.id }} className="strong clip need-link" data-row={proposal.run_id}>
          {proposal.run_name}
        </Link>
        <p className="small muted">
          The controller proposes at step {formatStep(intervention.step)}: {lowerFirst(spellAction(intervention.action))}. The run waits.
        </p>
      </div>
      <Approval run={{ id: proposal.run_id }} intervention={intervention} />
    </li>
  );
}

export function Needs({ runs, findings, proposals, error, children }: {
  runs: RunSummary[];
  findings: Schemas['UnseenFinding'][];
  proposals: Schemas['Proposal'][];
  error: Error | null;
  /** Gets how many there are, and the card. */
  children: (count: number, card: ReactNode) => ReactNode;
}) {
  const now = useNow(60_000);
  const [whole, setWhole] = useState(false);
  const proposing = new Set(proposals.map((item) => item.run_id));
  // a run that waits for an answer stands there with its buttons, and not twice
  const needs = needsOf(runs, findings, now).filter((need) => !proposing.has(need.id));
  const shown = whole ? needs : needs.slice(0, FIRST);
  const count = needs.length + proposals.length;
  const card = (
    <section className="card" aria-label="Needs you">
      <div className="card-head">
        <h2>Needs you</h2>
        {count > 0 && <span className="small muted">{count}</span>}
      </div>
      {error && <ProblemCard error={error} what="Proposals and findings could not be loaded" />}
      {count === 0 ? (
        <p className="card-body row muted">
          <IconCircleCheck size={16} stroke={1.75} className="is-completed" aria-hidden /> Nothing waits for you.
        </p>
      ) : (
        <ul>
          {proposals.map((proposal) => (
            <ProposalRow key={`${proposal.run_id} ${proposal.intervention.id}`} proposal={proposal} />
          ))}
          {shown.map((need) => (
            <NeedRow key={`${need.kind} ${need.id}`} need={need} />
          ))}
        </ul>
      )}
      {needs.length > FIRST && (
        <button className="btn ghost compact more-button" onClick={() => setWhole(!whole)}>
          {whole ? 'Fewer' : `${needs.length - FIRST} more`}
        </button>
      )}
    </section>
  );
  return children(count, card);
}
