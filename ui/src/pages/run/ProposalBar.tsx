// At the head of a run that waits for an answer: what is proposed, and the two buttons.
import { IconHandStop } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { interventionsQuery, type Run } from '../../api/queries';
import { isTerminal } from '../../components/state';
import { spellAction } from '../../figures/interventions';
import { formatStep } from '../../figures/numbers';
import { Approval } from '../../components/Approval';

export function ProposalBar({ run }: { run: Run }) {
  const navigate = useNavigate({ from: '/runs/$runId' });
  const { data } = useQuery({ ...interventionsQuery(run.id), enabled: run.kind === 'training' });
  const proposal = data?.findLast((item) => item.outcome === 'proposed');
  if (!proposal || isTerminal(run.state)) return null;
  return (
    <div className="proposal-bar" role="region" aria-label="Waits for approval">
      <IconHandStop size={16} stroke={1.75} className="is-paused" aria-hidden />
      <div>
        <b className="strong">The run waits for your answer.</b> {spellAction(proposal.action)} at step {formatStep(proposal.step)}?{' '}
        <button className="link-button" onClick={() => void navigate({ search: (old) => ({ ...old, tab: 'curves', iv: proposal.id }), replace: true })}>
          See why
        </button>
      </div>
      <Approval key={proposal.id} run={run} intervention={proposal} />
    </div>
  );
}
