// What a person may do: launch, cancel, ask a running worker for something.
import { queryOptions } from '@tanstack/react-query';
import { api, dataOf, type Schemas } from './client';
import { keys, type Run } from './queries';

export const cancelRun = (id: string) =>
  dataOf(api.POST('/api/v1/runs/{run_id}/cancel', { params: { path: { run_id: id } } }));

/** A new run that goes on where this one ended. */
export const retryRun = (id: string, idempotencyKey: string) =>
  dataOf(api.POST('/api/v1/runs/{run_id}/retry', { params: { path: { run_id: id }, header: { 'Idempotency-Key': idempotencyKey } } }));

/** `confirm` is the run's name, as a person typed it. */
export const deleteRun = (id: string, confirm: string) => api.DELETE('/api/v1/runs/{run_id}', { params: { path: { run_id: id }, query: { confirm } } });

export const sendCommand = (id: string, kind: Schemas['CommandRequest']['kind'], args: Record<string, unknown> = {}) =>
  dataOf(api.POST('/api/v1/runs/{run_id}/commands', { params: { path: { run_id: id } }, body: { kind, arguments: args } }));

/** `seen`: a person has seen the finding; else it asks again. */
export const acknowledge = (runId: string, findingId: string, seen: boolean) => {
  const params = { path: { run_id: runId, finding_id: findingId } };
  const url = '/api/v1/runs/{run_id}/findings/{finding_id}/acknowledgement' as const;
  return dataOf(seen ? api.PUT(url, { params }) : api.DELETE(url, { params }));
};

export const commandsQuery = (id: string, live: boolean) =>
  queryOptions({
    queryKey: [...keys.run(id), 'commands'],
    refetchInterval: live ? 3_000 : false,
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/runs/{run_id}/commands', { params: { path: { run_id: id } }, signal })),
  });

/** The same key with the same body makes one run, however often it is sent. */
export async function launchRun(spec: Record<string, unknown>, idempotencyKey: string): Promise<Run> {
  const answer = api.POST('/api/v1/runs', {
    params: { header: { 'Idempotency-Key': idempotencyKey } },
    body: { spec, priority: 'normal', max_attempts: 3 },
  });
  return (await dataOf(answer)) as Run; // only a dry run is answered with a plan
}
