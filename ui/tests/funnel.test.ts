import { describe, expect, it } from 'vitest';
import { funnelSources, readFunnel, readSourceFunnel } from '../src/figures/funnel';
import { funnelRows } from '../src/figures/funnelRows';
import type { Histogram } from '../src/figures/histograms';
import { languageFigures, ratesOf, tokensOf } from '../src/figures/statistics';

const statistics = {
  num_tokens: { train: 300, heldout: 20 },
  tokens: { en: { train: 200, heldout: 20 }, de: { train: 100, heldout: 0 } },
  documents: { en: { train: 5, heldout: 1 }, de: { train: 2, heldout: 0 } },
  bytes: { en: { train: 800, heldout: 80 }, de: { train: 500, heldout: 0 } },
  bytes_per_token: { en: 4, de: 5 },
  fertility: { en: 1.3, de: 1.9 },
  funnel: [
    { stage: 'read', documents: { unknown: 14 }, bytes: { unknown: 90_000 }, dropped: {}, sources: { web: { documents: 10, bytes: 80_000 }, mail: { documents: 4, bytes: 10_000 } } },
    { stage: 'extract', documents: { unknown: 12 }, bytes: { unknown: 4000 }, dropped: { 'extract.empty': { unknown: 2 } }, sources: { web: { documents: 8, bytes: 3000 }, mail: { documents: 4, bytes: 1000 } } },
    {
      stage: 'gopher_quality', documents: { en: 6, de: 2 }, bytes: { en: 880, de: 500 },
      dropped: { 'gopher_quality.min_words': { en: 3 }, 'gopher_quality.max_words': { de: 1 } },
      sources: { web: { documents: 8, bytes: 1380 } },
    },
  ],
};
const bins: Histogram = { rule: 'gopher_quality.min_words', language: 'en', bound: 'min', threshold: 50, edges: [0, 50, 100], documents: [3, 6], bytes: [120, 880] };

describe('the funnel', () => {
  it('by source takes what a step dropped from the step before', () => {
    const stages = readSourceFunnel(statistics, 'mail');
    expect(stages.map((stage) => [stage.left, stage.dropped])).toEqual([[4, 0], [4, 0], [0, 4]]);
    expect(readSourceFunnel(statistics, 'web')[1]).toMatchObject({ left: 8, dropped: 2, rules: [] });
  });

  it('names sources with what was read and kept, and none where none were counted', () => {
    expect(funnelSources(statistics)).toEqual([{ source: 'web', read: 10, kept: 8, bytes: 1380 }, { source: 'mail', read: 4, kept: 0, bytes: 0 }]);
    expect(funnelSources({ funnel: [{ stage: 'read', documents: { en: 1 } }] })).toEqual([]);
    expect(funnelSources(null)).toEqual([]);
  });

  it('counts lost bytes of text only, never raw bytes against text', () => {
    expect(readFunnel(statistics).map((stage) => [stage.isText, stage.droppedBytes])).toEqual([[false, null], [true, null], [true, 2620]]);
  });

  it('in tokens is by bytes a token, and unknown before there is text', () => {
    const rows = funnelRows(statistics, { by: 'tokens', language: 'en' }, ratesOf(statistics, [bins]));
    expect(rows?.map((row) => row.left)).toEqual([null, 0, 220]);
    expect(rows?.[2]?.rules).toEqual([{ rule: 'gopher_quality.min_words', dropped: 30 }]);
    expect(funnelRows({ funnel: statistics.funnel }, { by: 'tokens' }, ratesOf({ funnel: statistics.funnel }))).toBeNull();
  });

  it('leaves a rule without a histogram unmeasured in tokens', () => {
    const rows = funnelRows(statistics, { by: 'tokens' }, ratesOf(statistics, [bins]));
    expect(rows?.[2]?.rules.find((rule) => rule.rule === 'gopher_quality.max_words')?.dropped).toBeNull();
  });
});

describe('figures of a version', () => {
  it('are by language, the largest first', () => {
    expect(languageFigures(statistics).map((row) => [row.language, row.documents, row.tokens, row.bytesPerToken, row.fertility])).toEqual([['en', 6, 220, 4, 1.3], ['de', 2, 100, 5, 1.9]]);
    expect(tokensOf(statistics)).toBe(320);
  });

  it('are missing, not zero, where nothing was counted', () => {
    expect(tokensOf({})).toBeNull();
    expect(languageFigures({})).toEqual([]);
    expect(languageFigures({ funnel: [{ stage: 'read', documents: { en: 3 }, bytes: { en: 30 }, dropped: {} }] })).toEqual([
      { language: 'en', documents: 3, tokens: null, words: null, bytes: 30, fertility: null, bytesPerToken: null },
    ]);
  });
});
