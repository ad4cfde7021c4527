// A webhook, new or edited. A new one shows its secret, once.
import { Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { fieldsOf } from '../../api/client';
import { createWebhook, editWebhook, webhooksKey, type EventKind, type Webhook, type WebhookCreated } from '../../api/webhooks';
import { Field } from '../../components/Field';

const EVENTS: readonly { kind: EventKind; says: string }[] = [
  { kind: 'run.failed', says: 'A run failed or crashed for good' },
  { kind: 'run.finished', says: 'A run completed' },
  { kind: 'intervention.waiting', says: 'The controller asks for approval' },
  { kind: 'intervention.failed', says: 'An intervention did not help' },
  { kind: 'finding.opened', says: 'A detector found something new' },
  { kind: 'worker.dead', says: 'The worker of a run died' },
  { kind: 'schedule.missed', says: 'A schedule launched nothing' },
];

function Secret({ made, onClose }: { made: WebhookCreated; onClose: () => void }) {
  const [copied, setCopied] = useState(false);
  return (
    <div className="stack">
      <p className="muted">The receiver checks signatures with this secret. It is shown this once.</p>
      <code className="mono webhook-secret">{made.secret}</code>
      <div className="row" style={{ justifyContent: 'flex-end' }}>
        <button className="btn" onClick={() => void navigator.clipboard.writeText(made.secret).then(() => setCopied(true))}>
          {copied ? 'Copied' : 'Copy secret'}
        </button>
        <button className="btn primary" onClick={onClose}>
          I have kept it
        </button>
      </div>
    </div>
  );
}

export function WebhookEditor({ webhook, onClose }: { webhook: Webhook | null; onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState(webhook?.name ?? '');
  const [url, setUrl] = useState(webhook?.url ?? 'https://');
  const [events, setEvents] = useState<readonly EventKind[]>((webhook?.events as EventKind[] | undefined) ?? ['run.failed', 'intervention.waiting', 'worker.dead']);
  const [made, setMade] = useState<WebhookCreated | null>(null);
  const saving = useMutation({
    mutationFn: async () => {
      const body = { name, url, events: [...events] };
      if (webhook) await editWebhook(webhook.id, body, webhook.version);
      else setMade(await createWebhook(body));
    },
    onSuccess: () => webhook && onClose(),
    onSettled: () => client.invalidateQueries({ queryKey: webhooksKey }),
  });
  const problems = fieldsOf(saving.error);
  const problemOf = (pointer: string) => problems.find((problem) => problem.pointer.startsWith(pointer))?.message;
  const ready = name !== '' && events.length > 0 && !saving.isPending;
  const turn = (kind: EventKind, on: boolean) => setEvents(on ? [...events, kind] : events.filter((one) => one !== kind));
  return (
    <Modal opened onClose={onClose} title={made ? `Secret of ${made.name}` : webhook ? `Edit ${webhook.name}` : 'New webhook'} closeOnClickOutside={!made} closeButtonProps={{ 'aria-label': 'Close' }}>
      {made ? (
        <Secret made={made} onClose={onClose} />
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            if (ready) saving.mutate();
          }}
        >
          <Field label="Name" problem={problemOf('/name')}>
            {(described) => <input {...described} className="field-input" value={name} maxLength={200} onChange={(e) => setName(e.target.value)} autoComplete="off" data-autofocus />}
          </Field>
          <Field label="Address" hint="Private networks are refused unless the settings allow them" problem={problemOf('/url')}>
            {(described) => <input {...described} className="field-input" type="url" value={url} onChange={(e) => setUrl(e.target.value)} autoComplete="off" />}
          </Field>
          <fieldset className="webhook-kinds">
            <legend className="small strong">Is told when</legend>
            {EVENTS.map((event) => (
              <label key={event.kind} className="row">
                <input type="checkbox" checked={events.includes(event.kind)} onChange={(e) => turn(event.kind, e.target.checked)} />
                {event.says}
                <code className="mono muted push only-wide">{event.kind}</code>
              </label>
            ))}
          </fieldset>
          {saving.error && problems.length === 0 && (
            <p className="small is-failed" role="alert">
              {saving.error.message}
            </p>
          )}
          <div className="row" style={{ justifyContent: 'flex-end' }}>
            <button type="button" className="btn" onClick={onClose}>
              Cancel
            </button>
            <button type="submit" className="btn primary" aria-disabled={!ready}>
              {saving.isPending ? 'Saving' : webhook ? 'Save webhook' : 'Make webhook'}
            </button>
          </div>
        </form>
      )}
    </Modal>
  );
}
