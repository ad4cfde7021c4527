import { describe, expect, it } from 'vitest';
import { listRows, mergeRuns } from '../src/figures/groups';

const run = (id: string, state: string, created_at = '2026-01-01T00:00:00Z') => ({ id, name: id, kind: 'training', state, state_reason: '', parent_id: null, tags: [], created_at });

describe('the list of runs', () => {
  it('has a head before each group that is not empty, and the head alone where it is folded', () => {
    const rows = listRows([run('a', 'completed'), run('b', 'paused'), run('c', 'failed')], ['Needs you']);
    expect(rows.map((row) => ('run' in row ? row.run.id : `${row.group} ${row.count}`))).toEqual(['Needs you 1', 'Finished 2', 'a', 'c']);
  });

  it('has each run once, the newest first, as the first list tells it', () => {
    const newest = [run('c', 'running', '2026-01-03T00:00:00Z'), run('b', 'running', '2026-01-02T00:00:00Z')];
    const older = [run('b', 'queued', '2026-01-02T00:00:00Z'), run('a', 'completed')];
    const merged = mergeRuns(older.slice(1), newest, older);
    expect(merged.map((item) => `${item.id} ${item.state}`)).toEqual(['c running', 'b running', 'a completed']);
  });
});
