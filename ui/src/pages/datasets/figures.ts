// Figures of a dataset version out of its statistics.
import type { DatasetVersion } from '../../api/queries';
import { countOf } from '../../figures/funnel';

/** Tokens of the version; null when curation did not count them. */
export function tokensOf(version: DatasetVersion): number | null {
  const tokens = version.statistics['tokens'];
  if (tokens === undefined || tokens === null) return null;
  if (typeof tokens === 'object' && 'train' in tokens) return countOf((tokens as Record<string, unknown>)['train']);
  return countOf(tokens);
}

/** Tokens by language, where they were counted so. */
export function tokensByLanguage(version: DatasetVersion): Record<string, number> {
  const tokens = version.statistics['tokens'];
  if (typeof tokens !== 'object' || tokens === null) return {};
  const inner = 'train' in tokens ? (tokens as Record<string, unknown>)['train'] : tokens;
  if (typeof inner !== 'object' || inner === null) return {};
  return Object.fromEntries(Object.entries(inner).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}
