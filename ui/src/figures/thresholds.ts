// Thresholds that are being tried: which can move together, how they stand in the URL, and the spec with them.
import { sameJson } from './documents';
import type { Histogram } from './histograms';

export interface ThresholdGroup {
  /** The rule, or `rule@fr+it` where languages have thresholds of their own. */
  key: string;
  threshold: number | null;
  languages: string[];
  histograms: Histogram[];
}

export interface RuleFigures {
  rule: string;
  groups: ThresholdGroup[];
}

/** Thresholds tried, by the key of their group; null switches the rule off. */
export type Draft = Readonly<Record<string, number | null>>;

/** Rules in the order of the file; languages with one threshold move together. */
export function groupThresholds(histograms: readonly Histogram[]): RuleFigures[] {
  const rules = new Map<string, Map<number | null, Histogram[]>>();
  for (const histogram of histograms) {
    const byThreshold = rules.get(histogram.rule) ?? new Map<number | null, Histogram[]>();
    rules.set(histogram.rule, byThreshold.set(histogram.threshold, [...(byThreshold.get(histogram.threshold) ?? []), histogram]));
  }
  return [...rules].map(([rule, byThreshold]) => ({
    rule,
    groups: [...byThreshold].map(([threshold, members]) => {
      const languages = members.map((member) => member.language).sort();
      return { key: byThreshold.size === 1 ? rule : `${rule}@${languages.join('+')}`, threshold, languages, histograms: members };
    }),
  }));
}

/** `gopher_quality.min_words:60,fineweb_quality.max_short_line_ratio:off` */
export function writeDraft(draft: Draft): string | undefined {
  const parts = Object.entries(draft).map(([key, value]) => `${key}:${value === null ? 'off' : value}`);
  return parts.length ? parts.join(',') : undefined;
}

export function readDraft(text: string | undefined): Draft {
  const draft: Record<string, number | null> = {};
  for (const part of (text ?? '').split(',')) {
    const at = part.lastIndexOf(':');
    if (at <= 0) continue;
    const [key, raw] = [part.slice(0, at), part.slice(at + 1)];
    if (raw === 'off') draft[key] = null;
    else if (raw !== '' && Number.isFinite(Number(raw))) draft[key] = Number(raw);
  }
  return draft;
}

/** The one tried, else the one in force. */
export const valueIn = (draft: Draft, group: ThresholdGroup): number | null => (group.key in draft ? (draft[group.key] ?? null) : group.threshold);

/** Without a threshold that is the one in force. */
export function setThreshold(draft: Draft, group: ThresholdGroup, value: number | null): Draft {
  const others = Object.fromEntries(Object.entries(draft).filter(([key]) => key !== group.key));
  return value === group.threshold ? others : { ...others, [group.key]: value };
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

function judges(filter: Fields, languages: readonly string[]): boolean {
  const own = filter['languages'];
  return languages.length === 0 || !Array.isArray(own) || own.length === 0 || own.some((language) => languages.includes(String(language)));
}

/** The filter with the field set, or null when it has no such field. `field.key` reaches into a table. */
function withField(filter: Fields, field: string, value: number | null): Fields | null {
  if (field in filter) return { ...filter, [field]: value };
  const dot = field.indexOf('.');
  const table = dot > 0 ? filter[field.slice(0, dot)] : undefined;
  if (!isFields(table)) return null;
  const key = field.slice(dot + 1);
  const rest = Object.fromEntries(Object.entries(table).filter(([name]) => name !== key));
  return { ...filter, [field.slice(0, dot)]: value === null ? rest : { ...rest, [key]: value } };
}

/** Least confidence of the language: for all that have none of their own, or by language. */
function withLanguageScore(settings: unknown, languages: readonly string[], value: number | null): Fields | null {
  if (!isFields(settings) || !('min_score' in settings)) return null;
  const own = isFields(settings['min_score_by_language']) ? settings['min_score_by_language'] : {};
  const score = value ?? 0;
  if (languages.length === 0 && Object.keys(own).length === 0) return { ...settings, min_score: score };
  const named = languages.length > 0 ? languages : Object.keys(own);
  const rest = languages.length === 0 ? { min_score: score } : {};
  return { ...settings, ...rest, min_score_by_language: { ...own, ...Object.fromEntries(named.map((language) => [language, score])) } };
}

/** Rules whose threshold may be null, which switches them off. */
export const canSwitchOff = (rule: string): boolean => /^(gopher_repetition|gopher_quality|fineweb_quality|quality_score)\./.test(rule);

export interface Applied {
  spec: Fields;
  /** Keys of the draft that no field of the spec answers to. */
  unplaced: string[];
}

/** The spec of a curation with the thresholds tried. */
export function applyDraft(spec: Fields, draft: Draft): Applied {
  let filters: unknown[] = Array.isArray(spec['filters']) ? spec['filters'] : [];
  let language = spec['language'];
  const unplaced: string[] = [];
  for (const [key, value] of Object.entries(draft)) {
    const [rule = '', named] = key.split('@');
    const languages = named?.split('+') ?? [];
    const [kind, field] = [rule.slice(0, rule.indexOf('.')), rule.slice(rule.indexOf('.') + 1)];
    if (rule === 'language.min_score') {
      const changed = withLanguageScore(language, languages, value);
      if (changed) language = changed;
      else unplaced.push(key);
      continue;
    }
    let placed = false;
    filters = filters.map((filter) => {
      if (!isFields(filter) || filter['kind'] !== kind || !judges(filter, languages)) return filter;
      const changed = withField(filter, field, value);
      placed ||= changed !== null;
      return changed ?? filter;
    });
    if (!placed) unplaced.push(key);
  }
  return { spec: { ...spec, ...(language === undefined ? {} : { language }), filters }, unplaced };
}

/** Only what changed, to be laid into a recipe: of each filter its kind, its languages and the new values. */
export function fragmentOf(before: Fields, after: Fields): Fields {
  const [old, now] = [before['filters'], after['filters']];
  const filters =
    Array.isArray(old) && Array.isArray(now)
      ? now.flatMap((filter: unknown, i): Fields[] => {
          const base: unknown = old[i];
          if (!isFields(filter) || !isFields(base) || sameJson(filter, base)) return [];
          const languages = Array.isArray(filter['languages']) && filter['languages'].length > 0 ? { languages: filter['languages'] } : {};
          const changed = Object.entries(filter).filter(([name, value]) => !sameJson(value, base[name]));
          return [{ kind: filter['kind'], ...languages, ...Object.fromEntries(changed) }];
        })
      : [];
  const [oldLanguage, newLanguage] = [before['language'], after['language']];
  const language =
    isFields(oldLanguage) && isFields(newLanguage) ? Object.fromEntries(Object.entries(newLanguage).filter(([name, value]) => !sameJson(value, oldLanguage[name]))) : {};
  return { ...(Object.keys(language).length > 0 ? { language } : {}), ...(filters.length > 0 ? { filters } : {}) };
}
