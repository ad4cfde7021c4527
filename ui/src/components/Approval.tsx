// A person's answer to what the controller proposes.
import { IconCheck, IconX } from '@tabler/icons-react';
import type { InterventionRecord, Run } from '../api/queries';
import { spellAction } from '../figures/interventions';
import { useCommand } from './useCommand';

export function Approval({ run, intervention }: { run: Pick<Run, 'id'>; intervention: Pick<InterventionRecord, 'id' | 'action'> }) {
  const command = useCommand(run);
  const answer = (kind: 'approve' | 'reject') => command.mutate({ kind, arguments: { intervention: intervention.id } });
  if (command.isSuccess)
    return (
      <p className="small muted" role="status">
        {command.variables.kind === 'approve' ? 'Approved' : 'Rejected'}. The worker takes it with its next report.
      </p>
    );
  return (
    <div className="row wrap" role="group" aria-label="Answer">
      <button className="btn compact primary" onClick={() => answer('approve')} disabled={command.isPending} aria-label={`Approve: ${spellAction(intervention.action)}`}>
        <IconCheck size={14} stroke={1.75} /> Approve
      </button>
      <button className="btn compact" onClick={() => answer('reject')} disabled={command.isPending}>
        <IconX size={14} stroke={1.75} /> Reject
      </button>
      {command.error && (
        <span className="small is-failed" role="alert">
          {command.error.message}
        </span>
      )}
    </div>
  );
}
