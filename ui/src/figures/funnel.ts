// The funnel of a dataset: what came through each stage, and which rule took what.
export interface FunnelRule {
  rule: string;
  dropped: number;
}

export interface FunnelStage {
  stage: string;
  left: number;
  /** Of what is left: of raw records until the text is extracted, then of text. */
  bytes: number | null;
  isText: boolean;
  dropped: number;
  /** Bytes that the stage took away, cut lines included; null where the stage before counts other bytes. */
  droppedBytes: number | null;
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

function stagesOf(statistics: unknown): Record<string, unknown>[] {
  const stages = record(statistics)['funnel'];
  return Array.isArray(stages) ? stages.map(record) : [];
}

/** With what each stage took in bytes of text, by the stage before. */
function withLosses(stages: FunnelStage[]): FunnelStage[] {
  const extracted = stages.findIndex((stage) => stage.stage === 'extract');
  return stages.map((stage, i) => {
    const before = stages[i - 1];
    const isText = i >= extracted && stage.stage !== 'read';
    const known = before !== undefined && i > Math.max(extracted, 0) && before.stage !== 'read' && before.bytes !== null && stage.bytes !== null;
    return { ...stage, isText, droppedBytes: known ? Math.max(0, (before.bytes ?? 0) - (stage.bytes ?? 0)) : null };
  });
}

/** Stages in their order, for all languages or one. Drops before the language is known count for all only. */
export function readFunnel(statistics: unknown, language?: string): FunnelStage[] {
  const stages = stagesOf(statistics).map((stage): FunnelStage => {
    const rules = Object.entries(record(stage['dropped']))
      .map(([rule, counts]) => ({ rule, dropped: countOf(counts, language) }))
      .filter((rule) => rule.dropped > 0)
      .sort((a, b) => b.dropped - a.dropped);
    return {
      stage: String(stage['stage'] ?? ''),
      left: countOf(stage['documents'], language),
      bytes: stage['bytes'] === undefined ? null : countOf(stage['bytes'], language),
      dropped: rules.reduce((sum, rule) => sum + rule.dropped, 0),
      isText: false,
      droppedBytes: null,
      rules,
    };
  });
  return withLosses(stages);
}

/** Stages of one source: what is left is counted, what was dropped follows from the stage before; rules are not counted by source. */
export function readSourceFunnel(statistics: unknown, source: string): FunnelStage[] {
  let before: number | null = null;
  const stages = stagesOf(statistics).map((stage): FunnelStage => {
    const amount = record(record(stage['sources'])[source]);
    const left = countOf(amount['documents'] ?? 0);
    const dropped: number = before === null ? 0 : Math.max(0, before - left);
    before = left;
    return { stage: String(stage['stage'] ?? ''), left, bytes: countOf(amount['bytes'] ?? 0), dropped, isText: false, droppedBytes: null, rules: [] };
  });
  return withLosses(stages);
}

/** Sources met in the funnel, the largest at its end first. */
export function funnelSources(statistics: unknown): { source: string; read: number; kept: number; bytes: number }[] {
  const stages = stagesOf(statistics);
  const [first, last] = [record(stages[0]?.['sources']), record(stages.at(-1)?.['sources'])];
  const names = new Set(stages.flatMap((stage) => Object.keys(record(stage['sources']))));
  return [...names]
    .map((source) => ({
      source,
      read: countOf(record(first[source])['documents'] ?? 0),
      kept: countOf(record(last[source])['documents'] ?? 0),
      bytes: countOf(record(last[source])['bytes'] ?? 0),
    }))
    .sort((a, b) => b.kept - a.kept || b.read - a.read);
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
