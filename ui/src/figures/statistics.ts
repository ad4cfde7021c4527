// Figures of a dataset version out of its statistics (dataset.json of curation).
import { countOf, readFunnel } from './funnel';
import type { TokenRates } from './funnelRows';
import { dropOf, type Histogram } from './histograms';

type Table = Record<string, unknown>;
const table = (value: unknown): Table => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : {});

/** Tokens, training and held-out; null when curation did not count them. */
export function tokensOf(statistics: unknown): number | null {
  const { num_tokens: total, tokens } = table(statistics);
  if (total !== undefined) return countOf(total);
  return tokens === undefined ? null : Object.values(table(tokens)).reduce<number>((sum, counts) => sum + countOf(counts), 0);
}

/** A table `{"en": {"train": n, "heldout": n}}` by language; empty where it was not counted so. */
export function byLanguage(statistics: unknown, name: string): Record<string, number> {
  const found = table(table(statistics)[name]);
  return Object.fromEntries(Object.entries(found).flatMap(([language, counts]) => (typeof counts === 'object' && counts !== null ? [[language, countOf(counts)]] : [])));
}

export interface LanguageFigures {
  language: string;
  documents: number;
  tokens: number | null;
  words: number | null;
  bytes: number | null;
  /** Tokens a word. */
  fertility: number | null;
  bytesPerToken: number | null;
}

/** What is kept, by language, the largest first. */
export function languageFigures(statistics: unknown): LanguageFigures[] {
  const all = table(statistics);
  const [tokens, words, bytes, packed] = [byLanguage(all, 'tokens'), byLanguage(all, 'words'), byLanguage(all, 'bytes'), byLanguage(all, 'documents')];
  const stages = Array.isArray(all['funnel']) ? all['funnel'] : [];
  const last = table(stages.at(-1));
  const documents = { ...table(last['documents']), ...packed };
  const rate = (name: string, language: string) => {
    const value = table(all[name])[language];
    return typeof value === 'number' ? value : null;
  };
  return Object.keys(documents)
    .map((language): LanguageFigures => {
      const size = bytes[language] ?? (table(last['bytes'])[language] === undefined ? null : countOf(table(last['bytes'])[language]));
      const count = tokens[language] ?? null;
      return {
        language,
        documents: countOf(documents[language]),
        tokens: count,
        words: words[language] ?? null,
        bytes: size,
        fertility: rate('fertility', language),
        bytesPerToken: rate('bytes_per_token', language) ?? (size && count ? size / count : null),
      };
    })
    .filter((row) => row.documents > 0)
    .sort((a, b) => (b.tokens ?? b.bytes ?? 0) - (a.tokens ?? a.bytes ?? 0) || b.documents - a.documents);
}

/** How bytes become tokens, by what is kept; what a rule dropped in bytes, by its histogram. */
export function ratesOf(statistics: unknown, histograms: readonly Histogram[] = []): TokenRates {
  const rows = languageFigures(statistics);
  const [bytes, tokens] = [readFunnel(statistics).at(-1)?.bytes ?? rows.reduce((sum, row) => sum + (row.bytes ?? 0), 0), tokensOf(statistics)];
  return {
    bytesPerToken: (language) => {
      const own = language === undefined ? undefined : rows.find((row) => row.language === language)?.bytesPerToken;
      return own ?? (bytes && tokens ? bytes / tokens : null);
    },
    ruleBytes: (rule, language) => {
      const own = histograms.filter((item) => item.rule === rule && (language === undefined || item.language === language));
      return own.length === 0 ? null : own.reduce((sum, item) => sum + dropOf(item, item.threshold).bytes, 0);
    },
  };
}
