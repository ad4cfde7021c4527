// Webhooks out, and the log of what they were sent.
import { queryOptions } from '@tanstack/react-query';
import { api, ApiError, dataOf, type Schemas } from './client';

export type Webhook = Schemas['Webhook'];
export type WebhookCreated = Schemas['WebhookCreated'];
export type WebhookRequest = Schemas['WebhookRequest'];
export type Delivery = Schemas['Delivery'];
export type EventKind = WebhookRequest['events'][number];

export const webhooksKey = ['webhooks'] as const;

export const webhooksQuery = queryOptions({
  queryKey: [...webhooksKey, 'list'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/webhooks', { signal })),
});

export const deliveriesQuery = (id: string) =>
  queryOptions({
    queryKey: [...webhooksKey, id, 'deliveries'],
    refetchInterval: 5_000,
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/webhooks/{webhook_id}/deliveries', { params: { path: { webhook_id: id }, query: { limit: 20 } }, signal })),
  });

export function createWebhook(body: WebhookRequest): Promise<WebhookCreated> {
  return dataOf(api.POST('/api/v1/webhooks', { params: { header: { 'Idempotency-Key': crypto.randomUUID() } }, body }));
}

/** `seen`: the version that the person has before them; a newer one is not written over. */
export async function editWebhook(id: string, body: Schemas['WebhookChange'], seen?: number): Promise<Webhook> {
  const path = { webhook_id: id };
  const { data, response } = await api.GET('/api/v1/webhooks/{webhook_id}', { params: { path } });
  if (seen !== undefined && data?.version !== seen) throw new ApiError(412, 'It has changed meanwhile', 'Somebody has changed it meanwhile. Close this and open it again to see how it is now.');
  const etag = response.headers.get('ETag');
  if (!etag) throw new ApiError(0, 'The service answered without an ETag', '');
  return dataOf(api.PATCH('/api/v1/webhooks/{webhook_id}', { params: { path, header: { 'if-match': etag } }, body }));
}

export function testWebhook(id: string): Promise<Delivery> {
  return dataOf(api.POST('/api/v1/webhooks/{webhook_id}/test', { params: { path: { webhook_id: id } } }));
}

export function retryDelivery(id: string, delivery: number): Promise<Delivery> {
  return dataOf(api.POST('/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry', { params: { path: { webhook_id: id, delivery_id: delivery } } }));
}

export async function deleteWebhook(id: string): Promise<void> {
  await api.DELETE('/api/v1/webhooks/{webhook_id}', { params: { path: { webhook_id: id } } });
}
