// Summaries of quality and ablation runs, read out of what their workers reported.
export interface Interval {
  value: number;
  low: number;
  high: number;
}

type Table = Record<string, unknown>;
const table = (value: unknown): Table => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : {});
const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);

function interval(value: unknown, low: unknown, high: unknown): Interval | null {
  const middle = number(value);
  return middle === null ? null : { value: middle, low: number(low) ?? middle, high: number(high) ?? middle };
}

export interface ThresholdQuality {
  /** Labels from here on count as good. */
  threshold: number;
  numPositive: number | null;
  minScore: number | null;
  bestMinScore: number | null;
  precision: Interval | null;
  recall: Interval | null;
  f1: Interval | null;
}

export interface QualitySummary {
  agreement: { name: string; value: number; baseline: number | null }[];
  /** Of Spearman's correlation over the length baseline's. */
  gain: Interval | null;
  thresholds: ThresholdQuality[];
}

const AGREEMENT = ['spearman', 'pearson', 'mean_absolute_error'];

/** Null when the summary is not that of a scorer's training, or not there yet. */
export function readQuality(summary: Table): QualitySummary | null {
  const thresholds = Object.entries(summary).flatMap(([name, raw]): ThresholdQuality[] => {
    const found = /^threshold_(\d+(?:\.\d+)?)$/.exec(name);
    if (!found) return [];
    const row = table(raw);
    const figure = (key: string) => interval(row[key], row[`${key}_low`], row[`${key}_high`]);
    return [
      {
        threshold: Number(found[1]), numPositive: number(row['num_positive']), minScore: number(row['min_score']), bestMinScore: number(row['best_min_score']),
        precision: figure('precision'), recall: figure('recall'), f1: figure('f1'),
      },
    ];
  });
  if (thresholds.length === 0) return null;
  const baseline = table(summary['length_baseline']);
  const agreement = AGREEMENT.flatMap((name) => {
    const value = number(summary[name]);
    return value === null ? [] : [{ name, value, baseline: number(baseline[name]) }];
  });
  const gain = interval(baseline['spearman_gain'], baseline['spearman_gain_low'], baseline['spearman_gain_high']);
  return { agreement, gain, thresholds: thresholds.sort((a, b) => a.threshold - b.threshold) };
}

export interface Standing {
  arm: string;
  verdict: string;
  mean: number | null;
  difference: Interval | null;
  pAdjusted: number | null;
  numSeeds: number;
}

export interface RankingSummary {
  metric: string;
  winner: string | null;
  standings: Standing[];
  notes: string[];
}

export function readRanking(summary: Table): RankingSummary | null {
  const rows = summary['ranking'];
  if (!Array.isArray(rows) || rows.length === 0) return null;
  const standings = rows.map(table).map((row): Standing => ({
    arm: String(row['arm'] ?? ''),
    verdict: String(row['verdict'] ?? ''),
    mean: number(row['mean']),
    difference: interval(row['difference'], row['low'], row['high']),
    pAdjusted: number(row['p_adjusted']),
    numSeeds: number(row['num_seeds']) ?? 0,
  }));
  const notes = Array.isArray(summary['notes']) ? summary['notes'].map(String) : [];
  return { metric: String(summary['metric'] ?? ''), winner: typeof summary['winner'] === 'string' ? summary['winner'] : null, standings, notes };
}
