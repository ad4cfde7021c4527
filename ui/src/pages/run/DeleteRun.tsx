// Deleting a run that has ended. It cannot be undone, so its name is typed.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { deleteRun } from '../../api/commands';
import { keys, type Run } from '../../api/queries';
import { Confirm } from '../../components/Confirm';

export function DeleteRun({ run, opened, onClose }: { run: Run; opened: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => deleteRun(run.id, run.name),
    onSuccess: async () => {
      await navigate({ to: '/runs' });
      client.removeQueries({ queryKey: keys.run(run.id) });
      await client.invalidateQueries({ queryKey: keys.runs });
    },
  });
  const count = run.children.length;
  return (
    <Confirm opened={opened} onClose={onClose} title="Delete this run" verb="Delete run" name={run.name} pending={remove.isPending} onConfirm={() => remove.mutate()}>
      <p>
        Its curves, log, evaluations, checkpoints and MLflow’s record of it are deleted{count > 0 ? `, with those of its ${count} ${count === 1 ? 'stage' : 'stages'}` : ''}. It cannot be undone.
      </p>
      {remove.error && (
        <p className="is-failed" role="alert">
          {remove.error.message}
        </p>
      )}
    </Confirm>
  );
}
