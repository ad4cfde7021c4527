// What a person may ask of a run. A control is "sent" until the worker's next call answers.
import { Menu } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconAdjustments, IconArrowBackUp, IconCopy, IconDeviceFloppy, IconDots, IconDownload, IconExternalLink, IconLink, IconPlayerPause, IconPlayerPlay, IconPlayerSkipForward, IconPlayerStop, IconRefresh, IconRobot, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { cancelRun, commandsQuery, retryRun, sendCommand } from '../../api/commands';
import { keys, type Run } from '../../api/queries';
import { Confirm } from '../../components/Confirm';
import { PopoverButton } from '../../components/PopoverButton';
import { isTerminal } from '../../components/state';
import { spellOut } from '../../figures/words';
import { DeleteRun } from './DeleteRun';
import { RateForm } from './RateForm';
import { RollbackForm } from './RollbackForm';
import { SteerDialog, type Steering } from './SteerDialog';
import { useCommand } from '../../components/useCommand';

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
  const training = run.kind === 'training' && (run.state === 'running' || run.state === 'paused');
  const [saving, setSaving] = useState(true);
  const cancel = useMutation<unknown>({
    mutationFn: () => (training && saving ? sendCommand(run.id, 'stop') : cancelRun(run.id)),
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: keys.runs }),
  });
  return (
    <Confirm opened={opened} onClose={onClose} title="Stop this run" verb="Stop run" keep="Keep it running" name={run.name} pending={cancel.isPending} onConfirm={() => cancel.mutate()}>
      <p>
        The run ends and cannot be resumed.{run.kind === 'pipeline' ? ' Its stages are cancelled too.' : ''} Checkpoints and curves that were saved stay.
      </p>
      {training && (
        <label className="row check-row">
          <input type="checkbox" checked={saving} onChange={(event) => setSaving(event.target.checked)} /> Write a checkpoint first
        </label>
      )}
      {cancel.error && <p className="is-failed">{cancel.error.message}</p>}
    </Confirm>
  );
}

function More({ run, onSteer, onDelete }: { run: Run; onSteer: (what: Steering) => void; onDelete: () => void }) {
  const live = run.kind === 'training' && (run.state === 'running' || run.state === 'paused');
  return (
    <Menu position="bottom-end" shadow="sm">
      <Menu.Target>
        <button className="btn icon" aria-label="More">
          <IconDots size={16} stroke={1.75} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {live && (
          <>
            <Menu.Item leftSection={<IconPlayerSkipForward size={14} />} onClick={() => onSteer('skip')}>
              Skip batches…
            </Menu.Item>
            <Menu.Item leftSection={<IconRobot size={14} />} onClick={() => onSteer('mode')}>
              Controller…
            </Menu.Item>
          </>
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
  const [steering, setSteering] = useState<Steering | null>(null);
  const command = useCommand(run);
  const training = run.kind === 'training';
  const live = training && (run.state === 'running' || run.state === 'paused');
  return (
    <div className="row wrap controls">
      <LastCommand run={run} error={command.error} />
      {training && run.state === 'running' && (
        <button className="btn" onClick={() => command.mutate({ kind: 'pause' })} disabled={command.isPending}>
          <IconPlayerPause size={14} stroke={1.75} /> Pause
        </button>
      )}
      {training && run.state === 'paused' && (
        <button className="btn" onClick={() => command.mutate({ kind: 'resume' })} disabled={command.isPending}>
          <IconPlayerPlay size={14} stroke={1.75} /> Resume
        </button>
      )}
      {training && run.state === 'running' && (
        <button className="btn" onClick={() => command.mutate({ kind: 'checkpoint' })} disabled={command.isPending}>
          <IconDeviceFloppy size={14} stroke={1.75} /> Checkpoint
        </button>
      )}
      {live && (
        <span className="row wrap secondary-controls">
          <PopoverButton label="Roll back…" icon={<IconArrowBackUp size={14} stroke={1.75} />}>
            {(close) => <RollbackForm run={run} command={command} close={close} />}
          </PopoverButton>
          <PopoverButton label="LR and clip" icon={<IconAdjustments size={14} stroke={1.75} />}>
            {(close) => <RateForm run={run} command={command} close={close} />}
          </PopoverButton>
        </span>
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
      <More run={run} onSteer={setSteering} onDelete={deletion.open} />
      <SteerDialog run={run} what={steering} command={command} onClose={() => setSteering(null)} />
      <DeleteRun run={run} opened={deleting} onClose={deletion.close} />
      <Cancel run={run} opened={opened} onClose={dialog.close} />
    </div>
  );
}
