// Questions about datasets and evaluations.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf } from './client';
import type { Sample } from './queries';

export const datasetsQuery = queryOptions({
  queryKey: ['datasets'],
  queryFn: async ({ signal }) => (await dataOf(api.GET('/api/v1/datasets', { params: { query: { limit: 200 } }, signal }))).items,
});

export const datasetVersionsQuery = (name: string) =>
  queryOptions({
    queryKey: ['datasets', 'named', name],
    queryFn: async ({ signal }) =>
      (await dataOf(api.GET('/api/v1/datasets/{name}/versions', { params: { path: { name }, query: { limit: 200 } }, signal }))).items,
  });

export const datasetVersionQuery = (digest: string) =>
  queryOptions({
    queryKey: ['datasets', 'version', digest],
    staleTime: Infinity,
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/datasets/versions/{digest}', { params: { path: { digest } }, signal })),
  });

export interface SampleFilter {
  rule?: string | undefined;
  language?: string | undefined;
  kept?: boolean | undefined;
  q?: string | undefined;
}

export const samplesQuery = (digest: string, filter: SampleFilter) =>
  infiniteQueryOptions({
    queryKey: ['datasets', 'version', digest, 'samples', filter],
    initialPageParam: null as string | null,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) =>
      dataOf(
        api.GET('/api/v1/datasets/versions/{digest}/samples', {
          params: { path: { digest }, query: { ...filter, cursor: pageParam, limit: 50 } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? null,
  });

/** Up to 200 samples at once, for what is picked out of them here. */
export const sampleSetQuery = (digest: string, filter: SampleFilter) =>
  queryOptions({
    queryKey: ['datasets', 'version', digest, 'sample-set', filter],
    staleTime: Infinity,
    queryFn: async ({ signal }) =>
      (await dataOf(api.GET('/api/v1/datasets/versions/{digest}/samples', { params: { path: { digest }, query: { ...filter, limit: 200 } }, signal }))).items as Sample[],
  });

export const evaluationsQuery = (runId?: string) =>
  queryOptions({
    queryKey: ['evaluations', runId ?? null],
    queryFn: async ({ signal }) =>
      (await dataOf(api.GET('/api/v1/evaluations', { params: { query: { limit: 200, run_id: runId } }, signal }))).items,
  });

export const evaluationItemsQuery = (id: string, filter: { slice?: string | undefined; correct?: boolean | undefined }) =>
  infiniteQueryOptions({
    queryKey: ['evaluations', 'items', id, filter],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      dataOf(
        api.GET('/api/v1/evaluations/{evaluation_id}/items', {
          params: { path: { evaluation_id: id }, query: { ...filter, cursor: pageParam, limit: 50 } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
