// Events and log lines of a run, read from the end backwards.
import { infiniteQueryOptions, keepPreviousData } from '@tanstack/react-query';
import { api, dataOf } from './client';
import { keys } from './queries';

export const EVENT_KINDS = ['stage', 'checkpoint', 'state', 'resume', 'rollback', 'summary', 'warning', 'note', 'command'];

const NEWEST = Number.MAX_SAFE_INTEGER;
const PAGE = 300;

export interface EventFilter {
  kind: string[];
  q?: string | undefined;
}

/** Pages go back in time; within a page lines stand in the order of arrival. */
export const eventsQuery = (runId: string, filter: EventFilter, limit = PAGE) =>
  infiniteQueryOptions({
    queryKey: [...keys.events(runId), filter, limit],
    initialPageParam: NEWEST,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) =>
      dataOf(
        api.GET('/api/v1/runs/{run_id}/events', {
          params: { path: { run_id: runId }, query: { before: pageParam, kind: filter.kind, q: filter.q || null, limit } },
          signal,
        }),
      ),
    getNextPageParam: (page) => (page.length < limit ? undefined : page[0]?.id),
  });
