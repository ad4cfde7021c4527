// One webhook: its row, and opened under it the log of its deliveries.
import { Menu } from '@mantine/core';
import { IconChevronDown, IconChevronRight, IconDots, IconPencil, IconSend, IconTrash } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { deleteWebhook, editWebhook, testWebhook, webhooksKey, type Webhook } from '../../api/webhooks';
import { Switch } from '../../components/Switch';
import { takeAway } from '../../components/undo';
import { Deliveries } from './Deliveries';

export const leavingKey = (webhook: Webhook): string => `webhook ${webhook.id}`;

export function WebhookRow({ webhook, open, onOpen, onEdit }: { webhook: Webhook; open: boolean; onOpen: (open: boolean) => void; onEdit: () => void }) {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: webhooksKey });
  const enable = useMutation({ mutationFn: (enabled: boolean) => editWebhook(webhook.id, { enabled }), onSettled });
  const test = useMutation({ mutationFn: () => testWebhook(webhook.id), onSuccess: () => onOpen(true), onSettled });
  const remove = () => takeAway(leavingKey(webhook), `${webhook.name} is told nothing any more`, () => deleteWebhook(webhook.id).finally(onSettled));
  const failure = enable.error ?? test.error;
  return (
    <tbody>
      <tr>
        <td>
          <Switch label={`${webhook.name} is active`} on={webhook.enabled} words={['On', 'Off']} pending={enable.isPending} onChange={(on) => enable.mutate(on)} />
        </td>
        <td className="webhook-name whole">
          <button className="text-button row" aria-expanded={open} onClick={() => onOpen(!open)}>
            {open ? <IconChevronDown size={14} aria-hidden /> : <IconChevronRight size={14} aria-hidden />}
            <span className="clip">{webhook.name}</span>
          </button>
          <span className="small muted clip webhook-url" title={webhook.url}>
            {webhook.url}
          </span>
          {webhook.note && <span className="small is-paused webhook-url">{webhook.note}</span>}
          {failure && (
            <span className="small is-failed webhook-url" role="alert">
              {failure.message}
            </span>
          )}
        </td>
        <td className="webhook-events whole" data-label="Is told">
          {webhook.events.map((event) => (
            <span key={event} className="tag">
              {event}
            </span>
          ))}
        </td>
        <td className="right whole">
          <span className="row webhook-actions">
            <button className="btn compact" aria-disabled={test.isPending} onClick={() => !test.isPending && test.mutate()}>
              <IconSend size={14} stroke={1.75} /> {test.isPending ? 'Sending' : 'Send test'}
            </button>
            <Menu position="bottom-end" shadow="sm">
              <Menu.Target>
                <button className="btn ghost icon compact" aria-label={`More of ${webhook.name}`}>
                  <IconDots size={16} stroke={1.75} />
                </button>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item leftSection={<IconPencil size={14} />} onClick={onEdit}>
                  Edit…
                </Menu.Item>
                <Menu.Item color="red" leftSection={<IconTrash size={14} />} onClick={remove}>
                  Delete
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </span>
        </td>
      </tr>
      {open && (
        <tr>
          <td colSpan={4} className="webhook-open whole">
            <Deliveries webhook={webhook} />
          </td>
        </tr>
      )}
    </tbody>
  );
}
