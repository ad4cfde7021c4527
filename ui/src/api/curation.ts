// Questions about what the rules measured, duplicates, differences of versions, and labels.
import { infiniteQueryOptions, keepPreviousData, queryOptions, type QueryClient } from '@tanstack/react-query';
import { api, dataOf, type Schemas } from './client';
import type { Sample } from './queries';

export type Cluster = Schemas['Cluster'];
export type ClusterMember = Schemas['ClusterMember'];
export type Comparison = Omit<Schemas['DatasetComparison'], 'examples'> & { examples: { only_left: Sample[]; only_right: Sample[] } };

export const histogramsQuery = (digest: string) =>
  queryOptions({
    queryKey: ['datasets', 'version', digest, 'histograms'],
    staleTime: Infinity,
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/datasets/versions/{digest}/histograms', { params: { path: { digest } }, signal })),
  });

export const clustersQuery = (digest: string) =>
  infiniteQueryOptions({
    queryKey: ['datasets', 'version', digest, 'clusters'],
    staleTime: Infinity,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => 
      dataOf(api.GET('/api/v1/datasets/versions/{digest}/clusters', { params: { path: { digest }, query: { cursor: pageParam, limit: 50 } }, signal })),
    getNextPageParam: (page) => page.next_cursor ?? null,
  });

export const comparisonQuery = (left: string, right: string) =>
  queryOptions({
    queryKey: ['datasets', 'compare', left, right],
    staleTime: Infinity,
    queryFn: async ({ signal }) => (await dataOf(api.GET('/api/v1/datasets/compare', { params: { query: { left, right } }, signal }))) as Comparison,
  });

const labelsKey = (digest: string) => ['labels', digest] as const;
const PAGE = 200;
const MAX_PAGES = 50;

/** Scores of a version's documents, at most 10,000. */
export const labelsQuery = (digest: string) =>
  queryOptions({
    queryKey: labelsKey(digest),
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const found = new Map<string, number>();
      let cursor: string | undefined;
      for (let page = 0; page < MAX_PAGES; page++) {
        const answer = await dataOf(api.GET('/api/v1/labels', { params: { query: { dataset: digest, cursor, limit: PAGE } }, signal }));
        for (const label of answer.items) found.set(label.document_id, label.score);
        if (!answer.next_cursor) break;
        cursor = answer.next_cursor;
      }
      return found;
    },
  });

/** Sets or, with null, takes back a label; what is on screen follows at once and goes back when the service refuses. */
export async function setLabel(client: QueryClient, dataset: string, documentId: string, score: number | null): Promise<void> {
  const key = labelsKey(dataset);
  await client.cancelQueries({ queryKey: key });
  const before = client.getQueryData<Map<string, number>>(key)?.get(documentId) ?? null;
  const show = (value: number | null) =>
    client.setQueryData<Map<string, number>>(key, (old) => {
      const now = new Map(old);
      if (value === null) now.delete(documentId);
      else now.set(documentId, value);
      return now;
    });
  show(score);
  try {
    if (score !== null) await dataOf(api.POST('/api/v1/labels', { body: { dataset, document_id: documentId, score } }));
    else await api.DELETE('/api/v1/labels/{dataset}/{document_id}', { params: { path: { dataset, document_id: documentId } } });
  } catch (error) {
    show(before);
    throw error;
  }
}
