import { describe, expect, it } from 'vitest';
import { pickOf, readItem, sharesOf } from '../src/figures/answers';
import { sortFindings } from '../src/figures/findingOrder';
import { healthOf, layerKey, layerSeries, strengthOf, worstOf } from '../src/figures/layers';
import { needsOf, poolsOf } from '../src/figures/needs';
import { rateNow } from '../src/figures/rates';

const still = (count: number, value = 1) => Array.from({ length: count }, () => value);
const buckets = (values: number[], low = values, high = values) => ({ steps: values.map((_, i) => i * 10), mean: values, min: low, max: high });

describe('layers', () => {
  it('are found by their keys, the most telling series first', () => {
    const found = layerSeries(['loss', 'layers/01/grad_norm', 'layers/00/grad_norm', 'layers/00/update_ratio', 'layers/10/grad_norm']);
    expect([...found]).toEqual([['update_ratio', [0]], ['grad_norm', [0, 1, 10]]]);
    expect(layerKey('grad_norm', 3)).toBe('layers/03/grad_norm');
  });
  it('stand out against their own past, also by one value inside a bucket', () => {
    const calm = healthOf(buckets(still(30)));
    expect(calm.slice(0, 6).every((cell) => cell.z === null)).toBe(true);
    expect(calm.slice(6).every((cell) => cell.z === 0)).toBe(true);
    const high = still(30);
    high[20] = 9;
    const spike = healthOf(buckets(still(30), still(30), high));
    expect(spike[20]?.z).toBeGreaterThan(12);
    expect(strengthOf(spike[20]?.z ?? null)).toBe(1);
    const dying = healthOf(buckets([...still(20), ...still(5, 0.4)]));
    expect(dying[20]?.z).toBeLessThan(-12);
    expect(worstOf([{ layer: 0, cells: calm }, { layer: 7, cells: dying }])).toMatchObject({ layer: 7, step: 200 });
  });
  it('say nothing of a change that is small, of zeros and of gaps', () => {
    expect(strengthOf(healthOf(buckets([...still(20), 1.05]))[20]?.z ?? null)).toBe(0);
    expect(healthOf(buckets([...still(20), 0]))[20]?.z).toBeNull();
    expect(strengthOf(null)).toBe(0);
  });
});

describe('rates', () => {
  it('come apart into schedule and scale', () => {
    const series = [{ key: 'lr', last_value: 1e-3 }, { key: 'lr_scale', last_value: 0.5 }];
    expect(rateNow({ headline: {}, spec: { clipping: { limit: 1 } } }, series)).toEqual({ lr: 1e-3, scheduled: 2e-3, clip: 1 });
    expect(rateNow({ headline: { lr: 3e-3 }, spec: {} }, [])).toEqual({ lr: 3e-3, scheduled: 3e-3, clip: null });
    expect(rateNow({ headline: {}, spec: {} }, []).scheduled).toBeNull();
  });
});

describe('what needs a person', () => {
  const now = Date.parse('2026-11-27T12:00:00Z');
  const run = (id: string, state: string, more: object = {}) => ({ id, name: id, state, state_reason: '', parent_id: null, finished_at: null, pool: 'cpu', ...more });
  it('is what waits before what broke, and only of late', () => {
    const runs = [
      run('old', 'failed', { finished_at: '2026-11-01T00:00:00Z' }),
      run('new', 'failed', { finished_at: '2026-11-27T10:00:00Z', state_reason: 'It broke.\nDetails' }),
      run('waits', 'paused'),
      run('goes', 'running'),
      run('stage', 'failed', { finished_at: '2026-11-27T10:00:00Z', parent_id: 'new' }),
      run('lonely', 'queued', { state_reason: 'no worker online for pool gpu' }),
    ];
    expect(needsOf(runs, [], now).map((need) => need.id)).toEqual(['waits', 'lonely', 'new']);
    expect(needsOf(runs, [], now)[2]?.why).toBe('It broke.');
  });
  it('gathers findings by run, critical ones first', () => {
    const finding = (run_id: string, severity: string, message: string) => ({ run_id, run_name: run_id, finding: { severity, message, step: 1 } });
    const needs = needsOf([], [finding('a', 'warning', 'x'), finding('b', 'warning', 'y'), finding('b', 'critical', 'z')], now);
    expect(needs).toMatchObject([{ id: 'b', count: 2, critical: true, why: 'z' }, { id: 'a', count: 1, critical: false }]);
  });
  it('names a pool that runs wait for, though it has no worker', () => {
    const worker = { pool: 'cpu', state: 'online', name: 'w', last_seen_at: '' };
    expect(poolsOf([worker], [run('q', 'queued', { pool: 'gpu' }), run('r', 'running')])).toMatchObject([
      { name: 'cpu', online: 1, running: 1, queued: 0 },
      { name: 'gpu', online: 0, workers: [], queued: 1 },
    ]);
  });
  it('puts findings nobody has seen first, the worse before the newer', () => {
    const finding = (step: number, severity: string, acknowledged_at: string | null) => ({ step, severity, acknowledged_at });
    const sorted = sortFindings([finding(9, 'critical', 'now'), finding(5, 'warning', null), finding(1, 'critical', null), finding(7, 'warning', null)]);
    expect(sorted.map((item) => item.step)).toEqual([1, 7, 5, 9]);
  });
});

describe('answers', () => {
  it('are read from an item, and shares sum to one', () => {
    const data = { context: 'She', choices: ['a', 'b'], answer: 1, chosen: 0, bits_per_byte: [1, 2] };
    expect(readItem(data)).toEqual({ context: 'She', choices: [{ text: 'a', right: false }, { text: 'b', right: true }] });
    expect(pickOf(data)).toBe(0);
    expect(sharesOf(data)?.[0]).toBeCloseTo(2 / 3);
    expect(sharesOf({ bits_per_byte: [Infinity] })).toBeNull();
    expect(readItem({ text: 'plain' })).toEqual({ context: 'plain', choices: [] });
    expect(pickOf({})).toBeNull();
  });
});
