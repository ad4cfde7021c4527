// Two evaluations of one task, item by item.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, dataOf, type Schemas } from './client';

export type ItemPair = Schemas['ItemPair'];
export type PairedSlice = Schemas['PairedSlice'];
export type PairOutcome = 'both_right' | 'only_a' | 'only_b' | 'both_wrong';

export const comparisonQuery = (a: string, b: string) =>
  queryOptions({
    queryKey: ['evaluations', 'against', a, b],
    staleTime: 60_000,
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/evaluations/{evaluation_id}/against/{other_id}', { params: { path: { evaluation_id: a, other_id: b } }, signal })),
  });

export const pairsQuery = (a: string, b: string, filter: { slice?: string | undefined; outcome?: PairOutcome | undefined }) =>
  infiniteQueryOptions({
    queryKey: ['evaluations', 'pairs', a, b, filter],
    initialPageParam: null as string | null,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) =>
      dataOf(
        api.GET('/api/v1/evaluations/{evaluation_id}/against/{other_id}/items', {
          params: { path: { evaluation_id: a, other_id: b }, query: { ...filter, cursor: pageParam, limit: 50 } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
