// Deleting a run that has ended: its name is typed, and a moment stays to have it back.
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { deleteRun } from '../../api/commands';
import { keys, type Run } from '../../api/queries';
import { leavingRun } from './leaving';
import { Confirm } from '../../components/Confirm';
import { takeAway } from '../../components/undo';

export function DeleteRun({ run, opened, onClose }: { run: Run; opened: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const remove = () => {
    takeAway(leavingRun(run.id), `${run.name} is deleted`, async () => {
      await deleteRun(run.id, run.name);
      client.removeQueries({ queryKey: keys.run(run.id) });
      await client.invalidateQueries({ queryKey: keys.runs });
    });
    void navigate({ to: '/runs' });
  };
  const count = run.children.length;
  return (
    <Confirm opened={opened} onClose={onClose} title="Delete this run" verb="Delete run" name={run.name} pending={false} onConfirm={remove}>
      <p>
        Its curves, log, evaluations, checkpoints and MLflow’s record of it are deleted{count > 0 ? `, with those of its ${count} ${count === 1 ? 'stage' : 'stages'}` : ''}. After eight seconds it cannot be undone.
      </p>
    </Confirm>
  );
}
