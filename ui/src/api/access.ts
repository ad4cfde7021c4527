// Who may do what: tokens, projects, users, browsers that are logged in, and the audit log.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, ApiError, dataOf, type Schemas } from './client';

export type Token = Schemas['TokenInfo'];
export type TokenRequest = Schemas['TokenRequest'];
export type Project = Schemas['ProjectInfo'];
export type User = Schemas['UserInfo'];
export type BrowserSession = Schemas['BrowserSession'];
export type AuditRecord = Schemas['AuditRecord'];
export type Role = Token['role'];

export const accessKeys = { all: ['access'] as const, audit: ['access', 'audit'] as const };

export const tokensQuery = queryOptions({
  queryKey: [...accessKeys.all, 'tokens'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/tokens', { signal })),
});

export const projectsQuery = queryOptions({
  queryKey: [...accessKeys.all, 'projects'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/projects', { signal })),
});

export const usersQuery = queryOptions({
  queryKey: [...accessKeys.all, 'users'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/users', { signal })),
});

export const sessionsQuery = queryOptions({
  queryKey: [...accessKeys.all, 'sessions'],
  queryFn: ({ signal }) => dataOf(api.GET('/api/v1/auth/sessions', { signal })),
});

export interface AuditFilter {
  actor?: string | undefined;
  target?: string | undefined;
}

export const auditQuery = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: [...accessKeys.audit, filter.actor ?? '', filter.target ?? ''],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) => dataOf(api.GET('/api/v1/audit', { params: { query: { ...filter, cursor: pageParam, limit: 100 } }, signal })),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });

export const createToken = (body: TokenRequest) => dataOf(api.POST('/api/v1/tokens', { body }));
export const revokeToken = (id: string) => api.DELETE('/api/v1/tokens/{token_id}', { params: { path: { token_id: id } } });
export const endSession = (id: string) => api.DELETE('/api/v1/auth/sessions/{session_id}', { params: { path: { session_id: id } } });
export const createProject = (body: Schemas['ProjectRequest']) => dataOf(api.POST('/api/v1/projects', { body }));
export const createUser = (body: Schemas['UserRequest']) => dataOf(api.POST('/api/v1/users', { body }));
export const createUserLink = (id: string) => dataOf(api.POST('/api/v1/users/{user_id}/login-link', { params: { path: { user_id: id } } }));

export async function changeUser(id: string, body: Schemas['UserChange']): Promise<User> {
  const path = { user_id: id };
  const { response } = await api.GET('/api/v1/users/{user_id}', { params: { path } });
  const etag = response.headers.get('ETag');
  if (!etag) throw new ApiError(0, 'The service answered without an ETag', '');
  return dataOf(api.PATCH('/api/v1/users/{user_id}', { params: { path, header: { 'if-match': etag } }, body }));
}
