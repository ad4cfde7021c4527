// Figures of a dataset version out of its statistics (dataset.json of curation).
import type { DatasetVersion } from '../../api/queries';
import { countOf } from '../../figures/funnel';

const record = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {});

/** Tokens of the version, training and held-out; null when curation did not count them. */
export function tokensOf(version: DatasetVersion): number | null {
  const { num_tokens: total, tokens } = version.statistics;
  if (total !== undefined) return countOf(total);
  if (tokens === undefined) return null;
  return Object.values(record(tokens)).reduce<number>((sum, counts) => sum + countOf(counts), 0);
}

/** Tokens by language, where they were counted so: `{"en": {"train": n, "heldout": n}}`. */
export function tokensByLanguage(version: DatasetVersion): Record<string, number> {
  return Object.fromEntries(Object.entries(record(version.statistics['tokens'])).map(([language, counts]) => [language, countOf(counts)]));
}
