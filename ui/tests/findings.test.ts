import { describe, expect, it } from 'vitest';
import { readQuality, readRanking } from '../src/figures/findings';

describe('the summary of a scorer', () => {
  const summary = {
    documents: 400, spearman: 0.81, mean_absolute_error: 0.6, pearson: null,
    threshold_3: { num_positive: 120, min_score: 2.5, precision: 0.8, precision_low: 0.7, precision_high: 0.9, recall: 0.6, recall_low: 0.5, recall_high: 0.7, f1: 0.69, f1_low: 0.6, f1_high: 0.75, best_min_score: 2.3, best_f1: 0.7 },
    threshold_1: { num_positive: 300, min_score: 0.5, precision: null, recall: 1, recall_low: 1, recall_high: 1, f1: null },
    length_baseline: { spearman: 0.4, spearman_gain: 0.41, spearman_gain_low: 0.3, spearman_gain_high: 0.5 },
  };

  it('has its thresholds in order, with intervals, and what is not defined as missing', () => {
    const quality = readQuality(summary);
    expect(quality?.thresholds.map((row) => row.threshold)).toEqual([1, 3]);
    expect(quality?.thresholds[1]?.precision).toEqual({ value: 0.8, low: 0.7, high: 0.9 });
    expect(quality?.thresholds[0]?.precision).toBeNull();
    expect(quality?.gain).toEqual({ value: 0.41, low: 0.3, high: 0.5 });
    expect(quality?.agreement).toEqual([{ name: 'spearman', value: 0.81, baseline: 0.4 }, { name: 'mean_absolute_error', value: 0.6, baseline: null }]);
  });

  it('is nothing before the run has one', () => expect(readQuality({})).toBeNull());
});

describe('the ranking of an ablation', () => {
  it('keeps its order and shows what was not measured as missing', () => {
    const ranking = readRanking({
      metric: 'bits_per_byte', winner: 'no-c4', notes: ['not all saw equally many tokens'],
      ranking: [
        { arm: 'no-c4', verdict: 'better', mean: 1.91, difference: -0.02, low: -0.03, high: -0.01, p_adjusted: 0.01, num_seeds: 3 },
        { arm: 'base', verdict: 'base', mean: 1.93, difference: null, low: null, high: null, p_adjusted: null, num_seeds: 3 },
        { arm: 'wide', verdict: 'incomplete' },
      ],
    });
    expect(ranking?.standings.map((row) => row.arm)).toEqual(['no-c4', 'base', 'wide']);
    expect(ranking?.standings[0]?.difference).toEqual({ value: -0.02, low: -0.03, high: -0.01 });
    expect(ranking?.standings[2]).toMatchObject({ mean: null, difference: null, numSeeds: 0 });
    expect(readRanking({ ranking: [] })).toBeNull();
  });
});
