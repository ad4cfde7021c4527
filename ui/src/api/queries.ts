// What the pages ask for: one key and one function a question.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, ApiError, dataOf, keepCsrfToken, type Schemas } from './client';

export type Run = Schemas['Run'];
export type RunSummary = Schemas['RunSummary'];
export type Preset = Schemas['Preset'];
export type Bucket = Schemas['Bucket'];
export type RunEvent = Schemas['RunEvent'];
export type InterventionRecord = Schemas['InterventionRecord'];
export type FindingRecord = Schemas['FindingRecord'];
export type DatasetVersion = Schemas['DatasetVersion'];
/** The generator makes a pair of a required tuple and a list of an answered one: read as a list. */
export type Sample = Omit<Schemas['Sample'], 'span' | 'figures'> & { span: readonly number[] | null; figures?: Record<string, number | null> };
export type EvaluationSummary = Schemas['EvaluationSummary'];

export const keys = {
  session: ['session'] as const,
  health: ['health'] as const,
  attention: ['attention'] as const,
  runs: ['runs'] as const,
  run: (id: string) => ['runs', id] as const,
  series: (id: string) => ['runs', id, 'series'] as const,
  metric: (id: string, key: string) => ['runs', id, 'metric', key] as const,
  interventions: (id: string) => ['runs', id, 'interventions'] as const,
  findings: (id: string) => ['runs', id, 'findings'] as const,
  events: (id: string) => ['runs', id, 'events'] as const,
};

export const sessionQuery = queryOptions({
  queryKey: keys.session,
  staleTime: 5 * 60_000,
  retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status === 401),
  queryFn: async ({ signal }) => {
    const answer = await dataOf(api.GET('/api/v1/auth/session', { signal }));
    keepCsrfToken(answer.csrf_token ?? null);
    return answer;
  },
});

export const healthQuery = queryOptions({
  queryKey: keys.health,
  refetchInterval: 30_000,
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/health', { signal })),
});

const PAGE = 200;
const PAGES = 5;

interface SomeRuns {
  items: RunSummary[];
  /** Where the last of its pages began; null when nothing older is left. */
  lastPage: string | null;
  next: string | null;
}

/** Up to 1,000 runs from a place of the list on. */
async function someRuns(signal: AbortSignal, from: string | null): Promise<SomeRuns> {
  const items: RunSummary[] = [];
  let lastPage: string | null = from;
  let next: string | null = from;
  for (let page = 0; page < PAGES; page++) {
    lastPage = next;
    const answer = await dataOf(api.GET('/api/v1/runs', { params: { query: { limit: PAGE, ...(next ? { cursor: next } : {}) } }, signal }));
    items.push(...answer.items);
    next = answer.next_cursor ?? null;
    if (!next) break;
  }
  return { items, lastPage, next };
}

export const newestRunsQuery = queryOptions({
  queryKey: [...keys.runs, 'list'],
  queryFn: ({ signal }) => someRuns(signal, null),
});

/** The newest runs, at most 1,000. */
export const runsQuery = queryOptions({ ...newestRunsQuery, select: (some: SomeRuns) => some.items });

/** Those before them, a thousand a page. They overlap with the newest by a page: new runs push the newest on. */
export const olderRunsQuery = (from: string | null) =>
  infiniteQueryOptions({
    queryKey: [...keys.runs, 'older'],
    staleTime: 60_000,
    enabled: false,
    initialPageParam: from,
    queryFn: ({ pageParam, signal }) => someRuns(signal, pageParam),
    getNextPageParam: (last: SomeRuns) => last.next,
  });

/** What answers a name among all runs, where not all are here. */
export const foundRunsQuery = (q: string) =>
  queryOptions({
    queryKey: [...keys.runs, 'found', q],
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => (await dataOf(api.GET('/api/v1/runs', { params: { query: { q, limit: PAGE } }, signal }))).items,
  });

/** What a spec, as JSON text, would take. */
export const estimateQuery = (spec: string) =>
  queryOptions({
    queryKey: ['estimate', spec],
    staleTime: 60_000,
    retry: false,
    queryFn: ({ signal }) =>
      dataOf(api.POST('/api/v1/estimate', { body: { spec: JSON.parse(spec) as Record<string, unknown>, overrides: {} }, signal })),
  });

export const runQuery = (id: string) =>
  queryOptions({
    queryKey: keys.run(id),
    queryFn: ({ signal }) => dataOf(api.GET('/api/v1/runs/{run_id}', { params: { path: { run_id: id } }, signal })),
  });

export const seriesQuery = (id: string) =>
  queryOptions({
    queryKey: keys.series(id),
    queryFn: ({ signal }) =>
      dataOf(api.GET('/api/v1/runs/{run_id}/metrics', { params: { path: { run_id: id } }, signal })),
  });

export interface StepRange {
  from?: number | undefined;
  to?: number | undefined;
}

export const metricQuery = (id: string, key: string, range: StepRange, buckets: number, times = false) =>
  queryOptions({
    queryKey: [...keys.metric(id, key), range.from ?? null, range.to ?? null, buckets, times],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      dataOf(
        api.GET('/api/v1/runs/{run_id}/metrics/{key}', {
          params: {
            path: { run_id: id, key },
            query: { from_step: range.from, to_step: range.to, buckets, times },
          },
          signal,
        }),
      ),
  });

export const interventionsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.interventions(id),
    queryFn: ({ signal }) =>
      dataOf(api.GET('/api/v1/runs/{run_id}/interventions', { params: { path: { run_id: id } }, signal })),
  });

export const findingsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.findings(id),
    queryFn: ({ signal }) =>
      dataOf(api.GET('/api/v1/runs/{run_id}/findings', { params: { path: { run_id: id } }, signal })),
  });

/** What waits for a person, over all runs. */
export const attentionQuery = queryOptions({
  queryKey: keys.attention,
  refetchInterval: 30_000,
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/attention', { signal })),
});

export const presetsQuery = queryOptions({
  queryKey: ['presets'],
  staleTime: 5 * 60_000,
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/presets', { signal })),
});

export const specSchemaQuery = queryOptions({
  queryKey: ['spec-schema'],
  staleTime: Infinity,
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/specs/schema', { signal })),
});

export const workersQuery = queryOptions({
  queryKey: ['workers'],
  refetchInterval: 10_000,
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/workers', { signal })),
});
