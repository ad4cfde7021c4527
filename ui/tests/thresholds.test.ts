import { describe, expect, it } from 'vitest';
import type { Histogram } from '../src/figures/histograms';
import { applyDraft, fragmentOf, groupThresholds, readDraft, setThreshold, valueIn, writeDraft } from '../src/figures/thresholds';

const bins = (rule: string, language: string, threshold: number | null): Histogram => ({ rule, language, threshold, bound: 'min', edges: [0, 1], documents: [1], bytes: [1] });

const spec = {
  kind: 'curation',
  language: { min_score: 0.65, min_score_by_language: {} },
  filters: [
    { kind: 'url' },
    { kind: 'gopher_quality', languages: ['en'], min_words: 50, max_words: 1000 },
    { kind: 'gopher_quality', languages: ['de', 'fr'], min_words: 20, max_words: 1000 },
    { kind: 'gopher_repetition', languages: [], max_top_ngram_char_fraction: { '2': 0.2, '3': 0.18 } },
  ],
};

describe('thresholds tried', () => {
  const [words] = groupThresholds([bins('gopher_quality.min_words', 'en', 50), bins('gopher_quality.min_words', 'de', 20), bins('gopher_quality.min_words', 'fr', 20)]);

  it('move together where languages share one', () => {
    expect(words?.groups.map((group) => [group.key, group.threshold])).toEqual([['gopher_quality.min_words@en', 50], ['gopher_quality.min_words@de+fr', 20]]);
    expect(groupThresholds([bins('a.b', 'en', 1), bins('a.b', 'de', 1)])[0]?.groups.map((group) => group.key)).toEqual(['a.b']);
  });

  it('stand in the URL and come back from it', () => {
    const draft = { 'gopher_quality.min_words@de+fr': 35, 'gopher_repetition.max_top_ngram_char_fraction.2': 0.25, 'fineweb_quality.max_short_line_ratio': null };
    expect(readDraft(writeDraft(draft))).toEqual(draft);
    expect(writeDraft({})).toBeUndefined();
    expect(readDraft('nonsense,:3,a.b:,c.d:x,e.f:2')).toEqual({ 'e.f': 2 });
  });

  it('are gone when set to the one in force', () => {
    const group = words?.groups[0];
    if (!group) throw new Error('no group');
    const draft = setThreshold({}, group, 60);
    expect(valueIn(draft, group)).toBe(60);
    expect(setThreshold(draft, group, 50)).toEqual({});
    expect(valueIn(setThreshold({}, group, null), group)).toBeNull();
  });
});

describe('the spec with them', () => {
  it('changes only the filter of the languages, and leaves the spec itself alone', () => {
    const before = structuredClone(spec);
    const { spec: after, unplaced } = applyDraft(spec, { 'gopher_quality.min_words@de+fr': 35 });
    expect(unplaced).toEqual([]);
    expect((after['filters'] as { min_words?: number }[]).map((filter) => filter.min_words)).toEqual([undefined, 50, 35, undefined]);
    expect(spec).toEqual(before);
  });

  it('reaches into a table by n, and takes the limit out when off', () => {
    const at = (value: number | null) => (applyDraft(spec, { 'gopher_repetition.max_top_ngram_char_fraction.2': value }).spec['filters'] as Record<string, unknown>[])[3]?.['max_top_ngram_char_fraction'];
    expect(at(0.3)).toEqual({ '2': 0.3, '3': 0.18 });
    expect(at(null)).toEqual({ '3': 0.18 });
  });

  it('sets the least confidence of a language', () => {
    expect(applyDraft(spec, { 'language.min_score': 0.5 }).spec['language']).toEqual({ min_score: 0.5, min_score_by_language: {} });
    expect(applyDraft(spec, { 'language.min_score@fr': 0.8 }).spec['language']).toEqual({ min_score: 0.65, min_score_by_language: { fr: 0.8 } });
  });

  it('says what has no place', () => expect(applyDraft(spec, { 'dedup.similarity': 0.5, 'gopher_quality.max_words': 9 }).unplaced).toEqual(['dedup.similarity']));

  it('shows only what changed, with the languages it is for', () => {
    const { spec: after } = applyDraft(spec, { 'gopher_quality.min_words@en': 60, 'language.min_score': 0.7 });
    expect(fragmentOf(spec, after)).toEqual({ language: { min_score: 0.7 }, filters: [{ kind: 'gopher_quality', languages: ['en'], min_words: 60 }] });
    expect(fragmentOf(spec, spec)).toEqual({});
  });
});
