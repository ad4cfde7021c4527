import { describe, expect, it } from 'vitest';
import { between, compareSpecs, flattenSpec, noiseOf, readSlots, sameButSeed, sayClaims, slotStyle, subtract, tailDifference, withoutRun, withRun, writeSlots } from '../src/figures/compare';
import { mapSeries, placeOf, type TimedBuckets } from '../src/figures/place';
import { formatLoss } from '../src/figures/numbers';

const line = (values: (number | null)[], every = 1, first = 0) => ({ steps: values.map((_, i) => first + i * every), values });

describe('slots', () => {
  it('keep their colour when another run leaves, and are filled again', () => {
    const slots = withoutRun(readSlots('a,b,c'), 'b');
    expect(writeSlots(slots)).toBe('a,,c');
    expect(slots.indexOf('c')).toBe(2);
    expect(writeSlots(withRun(slots, 'd'))).toBe('a,d,c');
    expect(writeSlots(withRun(slots, 'c'))).toBe('a,,c');
    expect(writeSlots(withoutRun(readSlots('a'), 'a'))).toBeUndefined();
  });
  it('hold fifty at most, and give each of the first eight its own look', () => {
    const many = Array.from({ length: 60 }, (_, i) => `r${i}`);
    const read = readSlots(many.join());
    expect(read).toHaveLength(50);
    expect(withRun(read, 'one more')).toEqual(read);
    const looks = Array.from({ length: 8 }, (_, i) => JSON.stringify(slotStyle(i)));
    expect(new Set(looks).size).toBe(8);
    expect(slotStyle(8)).toEqual(slotStyle(49));
  });
});

describe('settings', () => {
  const base = flattenSpec({ name: 'a', seed: 1, optimizer: { kind: 'adamw', lr: 0.003 }, layers: [1, 2], stages: [{ lr: 1 }] });
  it('are leaves by their path; a list of plain values is one', () => {
    expect(Object.fromEntries(base)).toEqual({ name: 'a', seed: '1', 'optimizer.kind': 'adamw', 'optimizer.lr': '0.003', layers: '[1,2]', 'stages.0.lr': '1' });
  });
  it('differ where one lacks what another has, and never by name', () => {
    const other = flattenSpec({ name: 'b', seed: 2, optimizer: { kind: 'muon', lr: 0.003, momentum: 0.9 }, layers: [1, 2], stages: [{ lr: 1 }] });
    expect(compareSpecs([base, other]).differing).toEqual(['optimizer.kind', 'optimizer.momentum', 'seed']);
    expect(sameButSeed(base, other)).toBe(false);
    expect(sameButSeed(base, flattenSpec({ name: 'c', seed: 9, optimizer: { kind: 'adamw', lr: 0.003 }, layers: [1, 2], stages: [{ lr: 1 }] }))).toBe(true);
  });
});

describe('differences', () => {
  it('are taken where both are known, also between their points', () => {
    expect(between(line([0, 10], 10), 4)).toBe(4);
    expect(between(line([0, 10], 10), 11)).toBeNull();
    expect(subtract(line([5, 5, 5], 10), line([1, 2, 3, 4], 5))).toEqual({ steps: [0, 10], values: [4, 2] });
    expect(subtract(line([1, null, 3]), line([1, 1, 1])).steps).toEqual([0, 2]);
  });
  it('at the end are a mean, not the last point', () => {
    const flat = Array.from({ length: 101 }, () => 1);
    const noisy = flat.map((v, i) => v + (i % 2 ? 0.5 : -0.5) + 0.2);
    expect(tailDifference(line(noisy), line(flat))).toBeCloseTo(0.2, 0);
    expect(Math.abs((tailDifference(line(noisy), line(flat)) ?? 9) - 0.2)).toBeLessThan(0.15);
    expect(tailDifference(line([1], 1, 500), line(flat))).toBeNull();
  });
  it('know the noise of seeds from three runs on', () => {
    const seeds = [1, 2, 3].map((v) => line([v, v]));
    expect(noiseOf(seeds.slice(0, 2), line([2, 2]))).toBeNull();
    expect(noiseOf(seeds, line([2, 2]))?.half).toEqual([2, 2]);
  });
});

describe('claims', () => {
  const run = (name: string, difference: number, changed: string[]) => ({ name, difference, changed, sameButSeed: false });
  it('are hedged by the noise, the largest first, and never made of a seed', () => {
    const claims = sayClaims([run('near', 0.001, ['a']), run('worse', 0.09, ['a', 'b']), { ...run('seed', 0.01, []), sameButSeed: true }], 0.02, true, formatLoss);
    expect(claims.map((claim) => claim.name)).toEqual(['worse', 'near']);
    expect(claims[0]?.text).toContain('looks worse by 0.0900, 4.5 times the noise');
    expect(claims[0]?.text).toContain('2 settings differ');
    expect(claims[1]?.text).toContain('not told apart');
  });
  it('say nothing of better or worse without the noise', () => {
    expect(sayClaims([run('a', -0.5, ['lr'])], null, true, formatLoss)[0]?.text).toMatch(/ends 0\.5000 lower.*not known/);
  });
});

describe('places along x', () => {
  const branch = (number: number, first: number, tokens: number[], times: number[]): TimedBuckets => ({
    branch: number, bucket_steps: 1, steps: tokens.map((_, i) => first + i * 10), min: tokens, max: tokens, mean: tokens, last: tokens, times,
  });
  const map = [branch(0, 0, [0, 100, 200, 300], [50, 60, 70, 80]), branch(1, 20, [200, 260], [100, 110])];
  it('lie between the points, beyond them by the mean slope, and lead back', () => {
    const place = placeOf('tokens', map);
    expect(place?.at(5)).toBe(50);
    expect(place?.at(25)).toBe(230);
    expect(place?.back(place.at(17))).toBeCloseTo(17);
    expect(place?.at(60)).toBeGreaterThan(260);
  });
  it('lie by FLOPs as their own series tells', () => {
    expect(mapSeries('flops')).toBe('flops');
    expect(placeOf('flops', [branch(0, 0, [0, 3e15, 9e15], [])])?.at(15)).toBe(6e15);
  });
  it('tell a rolled-back step its own time', () => {
    const place = placeOf('time', map);
    expect(place?.at(25, 0)).toBe(25);
    expect(place?.at(25, 1)).toBe(55);
    expect(place?.at(25)).toBe(55);
  });
  it('are not told without the series', () => {
    expect(placeOf('tokens', [])).toBeNull();
    expect(placeOf('time', [branch(0, 0, [1, 2], [])])).toBeNull();
    expect(placeOf('step', undefined)?.at(7)).toBe(7);
  });
});
