// The typed client: cookie session, CSRF token on writes, problem details as errors.
import createClient, { type Middleware } from 'openapi-fetch';
import { PROJECT_HEADER, projectFor } from './project';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];

const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
const TIMEOUT_MS = 30_000;

interface Problem {
  type?: string;
  title?: string;
  detail?: string;
  errors?: { pointer?: string; message?: string }[];
}

export interface FieldProblem {
  pointer: string;
  message: string;
}

/** What the service answered instead of data (RFC 9457), or that it could not be reached (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly fields: FieldProblem[] = [],
    readonly type = 'about:blank',
    readonly requestId: string | null = null,
  ) {
    super(detail || title);
  }
}

/** The wrong fields that an error names, as the request had them. */
export function fieldsOf(error: unknown): FieldProblem[] {
  return error instanceof ApiError ? error.fields : [];
}

let csrfToken: string | null = null;

export function keepCsrfToken(token: string | null): void {
  csrfToken = token;
}

const session: Middleware = {
  onRequest({ request }) {
    if (WRITES.has(request.method) && csrfToken) request.headers.set('X-CSRF-Token', csrfToken);
    const project = projectFor(new URL(request.url).pathname);
    if (project !== null) request.headers.set(PROJECT_HEADER, project);
    return request;
  },
  async onResponse({ response }) {
    if (!response.ok) throw await readProblem(response);
  },
  onError({ error }) {
    if (error instanceof ApiError) return error;
    if (error instanceof DOMException && error.name === 'AbortError') return error;
    return new ApiError(0, 'The service does not answer', 'Check that it runs: headrace status');
  },
};

/** The problem in a response; one without a body still says something useful. */
export async function readProblem(response: Response): Promise<ApiError> {
  const requestId = response.headers.get('X-Request-ID');
  try {
    const body = (await response.json()) as Problem;
    const fields = (body.errors ?? []).map((e) => ({ pointer: e.pointer ?? '/', message: e.message ?? '' }));
    return new ApiError(response.status, body.title ?? response.statusText, body.detail ?? '', fields, body.type, requestId);
  } catch {
    return new ApiError(response.status, response.statusText || `Status ${response.status}`, '', [], undefined, requestId);
  }
}

function fetchInTime(request: Request): Promise<Response> {
  return fetch(new Request(request, {
    signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    // a page that is left still takes away what was to go
    keepalive: request.method === 'DELETE',
  }));
}

export const api = createClient<paths>({ baseUrl: '', credentials: 'same-origin', fetch: fetchInTime });
api.use(session);

/** The data of an answer; errors were thrown by the middleware. */
export async function dataOf<T>(answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer;
  if (data === undefined) throw new ApiError(0, 'The service answered without data', '');
  return data;
}
