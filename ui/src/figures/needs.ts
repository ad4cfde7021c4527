// What asks for a person, over all runs, the most pressing first.
import { groupOf } from './groups';

interface RunLike {
  id: string;
  name: string;
  state: string;
  state_reason: string;
  parent_id: string | null;
  finished_at: string | null;
}

interface FindingLike {
  run_id: string;
  run_name: string;
  finding: { message: string; severity?: string | undefined; step: number };
}

export type Need =
  | { kind: 'run'; id: string; name: string; state: string; why: string }
  | { kind: 'findings'; id: string; name: string; count: number; critical: boolean; why: string };

const RECENT_MS = 2 * 86_400_000;

const WHY: Record<string, string> = {
  paused: 'Paused. Resume it, or stop it.',
  crashed: 'The process went away. Its checkpoints are kept.',
  failed: 'It ended with an error.',
  queued: 'No worker takes it.',
};

/** Runs that wait or have ended badly of late, and findings by run. A stage says it through its parent only when that one is not there. */
export function needsOf(runs: readonly RunLike[], findings: readonly FindingLike[], nowMs: number): Need[] {
  const ids = new Set(runs.map((run) => run.id));
  const recent = (run: RunLike) => run.finished_at !== null && nowMs - new Date(run.finished_at).getTime() < RECENT_MS;
  const asking = runs.filter((run) => {
    if (run.parent_id !== null && ids.has(run.parent_id) && run.state === 'failed') return false;
    if (run.state === 'failed' || run.state === 'crashed') return recent(run);
    return groupOf(run) === 'Needs you';
  });
  const order = ['paused', 'queued', 'crashed', 'failed'];
  const waiting = [...asking].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state)).map((run): Need => ({ kind: 'run', id: run.id, name: run.name, state: run.state, why: run.state_reason.split('\n')[0] || (WHY[run.state] ?? '') }));
  const byRun = new Map<string, FindingLike[]>();
  for (const item of findings) byRun.set(item.run_id, [...(byRun.get(item.run_id) ?? []), item]);
  const seen = [...byRun].map(([id, items]): Need => {
    const worst = items.find((item) => item.finding.severity === 'critical') ?? items[0];
    return { kind: 'findings', id, name: worst?.run_name ?? '', count: items.length, critical: worst?.finding.severity === 'critical', why: worst?.finding.message ?? '' };
  });
  return [...waiting, ...seen.sort((a, b) => Number(b.kind === 'findings' && b.critical) - Number(a.kind === 'findings' && a.critical))];
}

interface WorkerLike {
  pool: string;
  state: string;
  name: string;
  last_seen_at: string;
}

export interface Pool<W extends WorkerLike> {
  name: string;
  online: number;
  workers: W[];
  /** Runs that wait for it. */
  queued: number;
  running: number;
}

/** Pools by name: those with workers, and those that runs wait for. Of workers of one name only the last seen counts. */
export function poolsOf<W extends WorkerLike>(workers: readonly W[], runs: readonly { pool: string; state: string }[]): Pool<W>[] {
  const names = [...new Set([...workers.map((worker) => worker.pool), ...runs.filter((run) => run.state === 'queued' || run.state === 'running').map((run) => run.pool)])].filter(Boolean).sort();
  return names.map((name) => {
    const own = workers.filter((worker) => worker.pool === name);
    return {
      name,
      workers: own,
      online: own.filter((worker) => worker.state === 'online').length,
      queued: runs.filter((run) => run.pool === name && run.state === 'queued').length,
      running: runs.filter((run) => run.pool === name && run.state === 'running').length,
    };
  });
}

/** What a worker needs to be told to join: one command. */
export const joinCommand = (pool: string, url: string): string => `headrace worker --pool ${pool} --url ${url} --token hr_…`;
