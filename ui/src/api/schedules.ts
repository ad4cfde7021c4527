// Schedules: launches at set times, which Prefect keeps.
import { queryOptions } from '@tanstack/react-query';
import { api, ApiError, dataOf, type Schemas } from './client';

export type Schedule = Schemas['Schedule'];
export type Occurrence = Schemas['Occurrence'];
export type ScheduleRequest = Schemas['ScheduleRequest'];
export type ScheduleChange = Schemas['ScheduleChange'];
export type Timing = ScheduleRequest['timing'];

export const schedulesKey = ['schedules'] as const;

export const schedulesQuery = queryOptions({
  queryKey: schedulesKey,
  refetchInterval: 15_000,
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/schedules', { signal })),
});

/** What a timing means, in words and times. */
export const timingQuery = (timing: Timing) =>
  queryOptions({
    queryKey: ['timing', timing],
    staleTime: 60_000,
    retry: false,
    queryFn: ({ signal }) => dataOf(api.POST('/api/v1/schedules/preview', { body: { timing }, signal })),
  });

export function createSchedule(body: ScheduleRequest): Promise<Schedule> {
  return dataOf(api.POST('/api/v1/schedules', { params: { header: { 'Idempotency-Key': crypto.randomUUID() } }, body }));
}

/** Names are unique within their project. */
export type SchedulePlace = Pick<Schedule, 'name' | 'project'>;
const at = ({ name, project }: SchedulePlace) => ({ path: { name }, query: { project } });

/** The schedule as it is now, with the tag that an edit of it must name. */
export async function readSchedule(place: SchedulePlace): Promise<{ schedule: Schedule; etag: string }> {
  const { data, response } = await api.GET('/api/v1/schedules/{name}', { params: at(place) });
  if (data === undefined) throw new ApiError(0, 'The service answered without data', '');
  return { schedule: data, etag: response.headers.get('ETag') ?? '' };
}

export function editSchedule(place: SchedulePlace, etag: string, body: ScheduleChange): Promise<Schedule> {
  return dataOf(api.PATCH('/api/v1/schedules/{name}', { params: { ...at(place), header: { 'if-match': etag } }, body }));
}

export async function pauseSchedule(place: SchedulePlace, paused: boolean): Promise<Schedule> {
  return editSchedule(place, (await readSchedule(place)).etag, { paused });
}

export function runSchedule(place: SchedulePlace) {
  return dataOf(api.POST('/api/v1/schedules/{name}/run', { params: { ...at(place), header: { 'Idempotency-Key': crypto.randomUUID() } } }));
}

export async function deleteSchedule(place: SchedulePlace): Promise<void> {
  await api.DELETE('/api/v1/schedules/{name}', { params: at(place) });
}
