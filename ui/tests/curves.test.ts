import { describe, expect, it } from 'vitest';
import { alignLines, mergeBranches, robustRange, smooth, valueAt, type Buckets } from '../src/figures/curves';
import { scaleOf } from '../src/charts/scale';

function branch(number: number, first: number, values: number[], every = 1): Buckets {
  return {
    branch: number,
    bucket_steps: every,
    steps: values.map((_, i) => first + i * every),
    min: values,
    max: values.map((v) => v + 1),
    mean: values,
    last: values,
  };
}

describe('branches', () => {
  it('goes over to the newer branch where it begins, and keeps what was rolled back', () => {
    const curve = mergeBranches([branch(1, 3, [30, 40, 50]), branch(0, 0, [0, 1, 2, 300, 400])]);
    expect(curve.live.steps).toEqual([0, 1, 2, 3, 4, 5]);
    expect(curve.live.mean).toEqual([0, 1, 2, 30, 40, 50]);
    expect(curve.abandoned).toHaveLength(1);
    expect(curve.abandoned[0]).toMatchObject({ branch: 0, fork: 3, steps: [3, 4], mean: [300, 400] });
  });

  it('lets a later roll-back reach behind an earlier one', () => {
    const curve = mergeBranches([branch(0, 0, [1, 1, 1, 1, 1]), branch(1, 4, [2, 2]), branch(2, 2, [3, 3])]);
    expect(curve.live.mean).toEqual([1, 1, 3, 3]);
    expect(curve.abandoned.map((part) => part.branch)).toEqual([0, 1]);
    expect(curve.abandoned[1]?.steps).toEqual([4, 5]);
  });

  it('loses no spike: the largest of a bucket is in max', () => {
    const curve = mergeBranches([{ ...branch(0, 0, [1, 1, 1], 50), max: [1, 9, 1] }]);
    expect(Math.max(...(curve.live.max as number[]))).toBe(9);
  });

  it('has nothing to draw without points', () => expect(mergeBranches([branch(0, 0, [])]).live.steps).toEqual([]));
});

describe('lines on one x', () => {
  it('puts each value at its step and leaves holes undefined, NaN (null) as a gap', () => {
    const [x, [a, b]] = alignLines([
      { steps: [0, 2], values: [1, null] },
      { steps: [1, 2, 5], values: [7, 8, 9] },
    ]);
    expect(x).toEqual([0, 1, 2, 5]);
    expect(a).toEqual([1, undefined, null, undefined]);
    expect(b).toEqual([undefined, 7, 8, 9]);
  });

  it('reads the value at or before a step', () => {
    const points = { steps: [0, 10, 20], values: [1, 2, 3] };
    expect(valueAt(points, 15)).toBe(2);
    expect(valueAt(points, 20)).toBe(3);
    expect(valueAt(points, -1)).toBeNull();
  });
});

describe('smoothing', () => {
  it('starts at the first value without bias, and passes NaN through', () => {
    const line = smooth([4, 4, null, 4], 0.9);
    expect(line[0]).toBeCloseTo(4);
    expect(line[2]).toBeNull();
    expect(line[3]).toBeCloseTo(4);
  });
  it('of strength 0 changes nothing', () => expect(smooth([1, 5, 2], 0)).toEqual([1, 5, 2]));
});

describe('the y range', () => {
  const steps = Array.from({ length: 400 }, (_, i) => i);
  const values = steps.map((step) => (step === 0 ? 900 : 3 + (step % 7) / 100));

  it('is not pressed flat by the first step', () => {
    const range = robustRange(values);
    expect(range?.[1]).toBeLessThan(4);
  });

  it('names what lies over it, so that nothing is cut in silence', () => {
    const spiked = values.map((value, i) => (i === 200 ? 50 : value));
    const data = { band: null, lines: [{ label: 'loss', color: '--s1', steps, values: spiked }] };
    expect(scaleOf(data, [0, 400], false, false)?.above).toEqual({ step: 200, value: 50 });
    expect(scaleOf(data, [0, 400], true, false)?.above).toBeNull();
  });
});
