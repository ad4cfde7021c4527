// Webhooks out: who is told what, and how that went.
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { webhooksQuery, type Webhook } from '../../api/webhooks';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { Page } from '../../components/Shell';
import { WebhookEditor } from './WebhookEditor';
import { useLeaving } from '../../components/undo';
import { leavingKey, WebhookRow } from './WebhookRow';
import './webhooks.css';

export function WebhooksPage() {
  const { data, error, refetch } = useQuery(webhooksQuery);
  const { open } = useSearch({ from: '/app/webhooks' });
  const leaving = useLeaving();
  const items = data?.items.filter((item) => !leaving.has(leavingKey(item)));
  const navigate = useNavigate({ from: '/webhooks' });
  const [edited, setEdited] = useState<Webhook | 'new' | null>(null);
  const add = (
    <button className="btn primary" onClick={() => setEdited('new')}>
      <IconPlus size={14} stroke={1.75} /> New webhook…
    </button>
  );
  return (
    <Page crumbs={[{ label: 'Webhooks' }]}>
      <div className="page-head">
        <h1>Webhooks</h1>
        <span className="push" />
        {items && items.length > 0 && add}
      </div>
      {error && !data && <ProblemCard error={error} what="The webhooks could not be loaded" safe="What waits to be delivered is kept." retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows rows={3} />}
      {items?.length === 0 && (
        <Empty title="No webhooks yet" todo="A webhook tells a chat or a program when a run fails, a worker dies or an approval is wanted. Requests are signed." cli="headrace webhooks create chat https://hooks.example.com/headrace --event run.failed">
          {add}
        </Empty>
      )}
      {items && items.length > 0 && (
        <div className="card table-wrap">
          <table className="table stacked webhooks">
            <thead>
              <tr>
                <th>Active</th>
                <th>Webhook</th>
                <th>Is told</th>
                <th>
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            {items.map((webhook) => (
              <WebhookRow
                key={webhook.id}
                webhook={webhook}
                open={open === webhook.id}
                onOpen={(now) => void navigate({ search: { open: now ? webhook.id : undefined }, replace: true })}
                onEdit={() => setEdited(webhook)}
              />
            ))}
          </table>
        </div>
      )}
      {edited && <WebhookEditor key={edited === 'new' ? '' : edited.id} webhook={edited === 'new' ? null : edited} onClose={() => setEdited(null)} />}
    </Page>
  );
}
