// What a person may ask of a run. A control is "sent" until the worker's next call answers.
import { Menu } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconCopy, IconDeviceFloppy, IconDots, IconDownload, IconExternalLink, IconLink, IconPlayerPause, IconPlayerPlay, IconPlayerStop, IconRefresh, IconRotate, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useRef } from 'react';
import { cancelRun, commandsQuery, retryRun, sendCommand } from '../../api/commands';
import { keys, type Run } from '../../api/queries';
import { Confirm } from '../../components/Confirm';
import { isTerminal } from '../../components/state';
import { spellOut } from '../../figures/words';
import { DeleteRun } from './DeleteRun';

type Kind = Parameters<typeof sendCommand>[1];

function useCommand(run: Run) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (kind: Kind) => sendCommand(run.id, kind),
    onSettled: () => client.invalidateQueries({ queryKey: keys.run(run.id) }),
  });
}

/** A run that did not complete is taken up by a new one, from its newest checkpoint. */
function Retry({ run }: { run: Run }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const key = useRef(crypto.randomUUID());
  const retry = useMutation({
    mutationFn: () => retryRun(run.id, key.current),
    onSuccess: async (made) => {
      void client.invalidateQueries({ queryKey: keys.runs });
      await navigate({ to: '/runs/$runId', params: { runId: made.id } });
    },
  });
  return (
    <>
      {retry.error && (
        <span className="small is-failed" role="alert">
          {retry.error.message}
        </span>
      )}
      <button className="btn" onClick={() => retry.mutate()} disabled={retry.isPending} title="A new run goes on from the newest checkpoint">
        <IconRefresh size={14} stroke={1.75} /> Retry
      </button>
    </>
  );
}

function LastCommand({ run, error }: { run: Run; error: Error | null }) {
  const { data } = useQuery(commandsQuery(run.id, !isTerminal(run.state)));
  if (error) return <span className="small is-failed" role="alert">{error.message}</span>;
  const last = data?.at(-1);
  if (!last || last.state === 'applied') return null;
  return (
    <span className="small muted" role="status">
      {spellOut(last.kind)} sent, waiting for the worker
    </span>
  );
}

function Cancel({ run, opened, onClose }: { run: Run; opened: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => cancelRun(run.id),
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: keys.runs }),
  });
  return (
    <Confirm opened={opened} onClose={onClose} title="Stop this run" verb="Stop run" keep="Keep it running" name={run.name} pending={cancel.isPending} onConfirm={() => cancel.mutate()}>
      <p>
        The run ends and cannot be resumed.{run.kind === 'pipeline' ? ' Its stages are cancelled too.' : ''} Checkpoints and curves that were saved stay.
      </p>
      {cancel.error && <p className="is-failed">{cancel.error.message}</p>}
    </Confirm>
  );
}

function More({ run, command, onDelete }: { run: Run; command: ReturnType<typeof useCommand>; onDelete: () => void }) {
  const live = run.kind === 'training' && run.state === 'running';
  return (
    <Menu position="bottom-end" shadow="sm">
      <Menu.Target>
        <button className="btn icon" aria-label="More">
          <IconDots size={16} stroke={1.75} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {live && (
          <Menu.Item leftSection={<IconRotate size={14} />} onClick={() => command.mutate('rollback')}>
            Roll back to the last checkpoint
          </Menu.Item>
        )}
        {run.mlflow_url && (
          <Menu.Item leftSection={<IconExternalLink size={14} />} component="a" href={run.mlflow_url} target="_blank" rel="noreferrer">
            Open in MLflow
          </Menu.Item>
        )}
        <Menu.Item leftSection={<IconLink size={14} />} onClick={() => void navigator.clipboard.writeText(run.id)}>
          Copy run id
        </Menu.Item>
        {(['csv', 'parquet'] as const).map((format) => (
          <Menu.Item key={format} leftSection={<IconDownload size={14} />} component="a" href={`/api/v1/runs/${run.id}/export?format=${format}`} download>
            Download points ({format === 'csv' ? 'CSV' : 'Parquet'})
          </Menu.Item>
        ))}
        {isTerminal(run.state) && (
          <Menu.Item color="red" leftSection={<IconTrash size={14} />} onClick={onDelete}>
            Delete…
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

export function Controls({ run }: { run: Run }) {
  const [opened, dialog] = useDisclosure(false);
  const [deleting, deletion] = useDisclosure(false);
  const command = useCommand(run);
  const training = run.kind === 'training';
  return (
    <div className="row wrap controls">
      <LastCommand run={run} error={command.error} />
      {training && run.state === 'running' && (
        <button className="btn" onClick={() => command.mutate('pause')} disabled={command.isPending}>
          <IconPlayerPause size={14} stroke={1.75} /> Pause
        </button>
      )}
      {training && run.state === 'paused' && (
        <button className="btn" onClick={() => command.mutate('resume')} disabled={command.isPending}>
          <IconPlayerPlay size={14} stroke={1.75} /> Resume
        </button>
      )}
      {training && run.state === 'running' && (
        <button className="btn" onClick={() => command.mutate('checkpoint')} disabled={command.isPending}>
          <IconDeviceFloppy size={14} stroke={1.75} /> Checkpoint
        </button>
      )}
      {!isTerminal(run.state) && run.state !== 'cancelling' && (
        <button className="btn danger" onClick={dialog.open}>
          <IconPlayerStop size={14} stroke={1.75} /> Stop…
        </button>
      )}
      {isTerminal(run.state) && run.state !== 'completed' && <Retry key={run.id} run={run} />}
      {isTerminal(run.state) && (
        <Link to="/launch" search={{ from: run.id }} className="btn">
          <IconCopy size={14} stroke={1.75} /> Launch again…
        </Link>
      )}
      <More run={run} command={command} onDelete={deletion.open} />
      <DeleteRun run={run} opened={deleting} onClose={deletion.close} />
      <Cancel run={run} opened={opened} onClose={dialog.close} />
    </div>
  );
}
