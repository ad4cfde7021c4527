// Which group of the list a run stands in, and whether it answers a search.
export interface Listed {
  id: string;
  name: string;
  kind: string;
  state: string;
  state_reason: string;
  parent_id: string | null;
  tags: string[];
}

export const GROUPS = ['Needs you', 'Running', 'Queued', 'Finished'] as const;
export type Group = (typeof GROUPS)[number];

const NO_WORKER = /\bno\b.*\bworker/i;

/** What a person must act on comes first: paused, crashed, or waiting for a worker that isn't there. */
export function groupOf(run: Pick<Listed, 'state' | 'state_reason'>): Group {
  if (run.state === 'paused' || run.state === 'crashed') return 'Needs you';
  if (run.state === 'queued') return NO_WORKER.test(run.state_reason) ? 'Needs you' : 'Queued';
  if (run.state === 'running' || run.state === 'cancelling') return 'Running';
  return 'Finished';
}

export interface RunFilter {
  q?: string | undefined;
  kind?: string | undefined;
  state?: string | undefined;
  children?: boolean | undefined;
}

/** Runs that answer the filter. Children of a listed run are left out, unless asked for or searched for. */
export function filterRuns<T extends Listed>(runs: T[], filter: RunFilter): T[] {
  const words = (filter.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const ids = new Set(runs.map((run) => run.id));
  const nested = (run: T) => run.parent_id !== null && ids.has(run.parent_id);
  return runs.filter((run) => {
    if (filter.kind && run.kind !== filter.kind) return false;
    if (filter.state && run.state !== filter.state) return false;
    if (!filter.children && !filter.kind && words.length === 0 && nested(run)) return false;
    const text = [run.name, run.kind, run.state, run.id, ...run.tags].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export type ListRow<T> = { group: Group; count: number } | { group: Group; run: T };

/** Heads and runs from above; a folded group is its head alone, an empty one is left out. */
export function listRows<T extends Listed>(runs: readonly T[], folded: readonly string[]): ListRow<T>[] {
  return GROUPS.flatMap((group): ListRow<T>[] => {
    const inside = runs.filter((run) => groupOf(run) === group);
    if (inside.length === 0) return [];
    return [{ group, count: inside.length }, ...(folded.includes(group) ? [] : inside.map((run) => ({ group, run })))];
  });
}

/** One list out of several, each run once, as the first list has it, the newest first. */
export function mergeRuns<T extends { id: string; created_at: string }>(...lists: readonly (readonly T[])[]): T[] {
  const found = new Map<string, T>();
  for (const run of lists.flat()) if (!found.has(run.id)) found.set(run.id, run);
  return [...found.values()].sort((a, b) => (a.created_at === b.created_at ? b.id.localeCompare(a.id) : b.created_at.localeCompare(a.created_at)));
}
