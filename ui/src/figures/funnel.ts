// The funnel of a dataset: what came through each stage, and which rule took what.
export interface FunnelRule {
  rule: string;
  dropped: number;
}

export interface FunnelStage {
  stage: string;
  left: number;
  bytes: number | null;
  dropped: number;
  rules: FunnelRule[];
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

/** A count, or the sum (or one language) of counts by language. */
export function countOf(value: unknown, language?: string): number {
  if (typeof value === 'number') return value;
  const counts = record(value);
  if (language) return typeof counts[language] === 'number' ? (counts[language] as number) : 0;
  return Object.values(counts).reduce<number>((sum, n) => sum + (typeof n === 'number' ? n : 0), 0);
}

/** Stages in their order, for all languages or one. Drops before the language is known count for all only. */
export function readFunnel(statistics: unknown, language?: string): FunnelStage[] {
  const stages = record(statistics)['funnel'];
  if (!Array.isArray(stages)) return [];
  return stages.map((item) => {
    const stage = record(item);
    const rules = Object.entries(record(stage['dropped']))
      .map(([rule, counts]) => ({ rule, dropped: countOf(counts, language) }))
      .filter((rule) => rule.dropped > 0)
      .sort((a, b) => b.dropped - a.dropped);
    return {
      stage: String(stage['stage'] ?? ''),
      left: countOf(stage['documents'], language),
      bytes: stage['bytes'] === undefined ? null : countOf(stage['bytes'], language),
      dropped: rules.reduce((sum, rule) => sum + rule.dropped, 0),
      rules,
    };
  });
}

export interface LanguageShare {
  language: string;
  documents: number;
  bytes: number;
}

/** What is kept by language, the largest first. */
export function readLanguages(statistics: unknown): LanguageShare[] {
  const stages = record(statistics)['funnel'];
  const last = record(Array.isArray(stages) ? stages.at(-1) : undefined);
  const bytes = record(last['bytes']);
  return Object.entries(record(last['documents']))
    .map(([language, n]) => ({ language, documents: countOf(n), bytes: countOf(bytes[language] ?? 0) }))
    .filter((share) => share.documents > 0)
    .sort((a, b) => b.bytes - a.bytes || b.documents - a.documents);
}

/** Languages met anywhere in the funnel, sorted. */
export function funnelLanguages(statistics: unknown): string[] {
  const stages = record(statistics)['funnel'];
  const found = new Set<string>();
  if (Array.isArray(stages)) for (const stage of stages) for (const code of Object.keys(record(record(stage)['documents']))) found.add(code);
  found.delete('unknown');
  return [...found].sort();
}
