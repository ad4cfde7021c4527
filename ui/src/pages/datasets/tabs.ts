// The tabs of a dataset version and what of them stands in the URL.
export const TABS = ['overview', 'funnel', 'rules', 'samples', 'clusters', 'versions'] as const;
export type DatasetTab = (typeof TABS)[number];

export interface DatasetSearch {
  tab?: DatasetTab | undefined;
  /** A rule of the funnel, of the samples, or whose threshold is tried. */
  rule?: string | undefined;
  language?: string | undefined;
  source?: string | undefined;
  by?: 'tokens' | undefined;
  /** Thresholds tried; see figures/thresholds. */
  draft?: string | undefined;
  verdict?: 'kept' | 'all' | undefined;
  q?: string | undefined;
  sample?: number | undefined;
  label?: true | undefined;
  cluster?: number | undefined;
  member?: number | undefined;
  /** Digest of the version to compare with. */
  against?: string | undefined;
}

type Raw = Record<string, unknown>;
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined);
const whole = (value: unknown): number | undefined => (typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined);

export function readSearch(raw: Raw): DatasetSearch {
  const tab = TABS.find((name) => name === raw['tab']);
  return {
    tab,
    rule: text(raw['rule']),
    language: text(raw['language']),
    source: text(raw['source']),
    by: raw['by'] === 'tokens' ? 'tokens' : undefined,
    draft: text(raw['draft']),
    verdict: raw['verdict'] === 'kept' || raw['verdict'] === 'all' ? raw['verdict'] : raw['kept'] === true ? 'kept' : undefined,
    q: text(raw['q']),
    sample: whole(raw['sample']),
    label: raw['label'] === true ? true : undefined,
    cluster: whole(raw['cluster']),
    member: whole(raw['member']),
    against: text(raw['against']),
  };
}

/** The tab asked for; a link with a rule and no tab means its samples. */
export const tabOf = (search: DatasetSearch): DatasetTab => search.tab ?? (search.rule !== undefined || search.q !== undefined || search.verdict !== undefined || search.sample !== undefined ? 'samples' : 'overview');
