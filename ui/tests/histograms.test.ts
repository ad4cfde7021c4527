import { describe, expect, it } from 'vitest';
import { axisOf, roundTo, ticksOf } from '../src/figures/axis';
import { decidedBy, figureOf } from '../src/figures/decided';
import { addConsequences, consequenceOf, dropOf, drops, mergeHistograms, writeDifference, type Histogram } from '../src/figures/histograms';
import { pressed } from '../src/figures/press';

const short: Histogram = {
  rule: 'fineweb_quality.max_short_line_ratio', language: 'en', bound: 'max', threshold: 0.6,
  edges: [0, 0.2, 0.4, 0.6, 0.8, 1], documents: [10, 20, 30, 8, 2], bytes: [1000, 2000, 3000, 800, 200],
};
const words: Histogram = {
  rule: 'gopher_quality.min_words', language: 'en', bound: 'min', threshold: 50,
  edges: [0, 25, 50, 100, 1000], documents: [4, 6, 40, 50], bytes: [40, 60, 400, 500],
};

describe('what a threshold drops', () => {
  it('is exact on an edge, over it for a highest figure and under it for a lowest', () => {
    expect(dropOf(short, 0.6)).toEqual({ documents: 10, bytes: 1000, least: 10, most: 10 });
    expect(dropOf(words, 50)).toEqual({ documents: 10, bytes: 100, least: 10, most: 10 });
  });

  it('is an estimate between two bounds inside a bin', () => {
    expect(dropOf(short, 0.5)).toEqual({ documents: 25, bytes: 2500, least: 10, most: 40 });
    expect(dropOf(words, 75)).toEqual({ documents: 30, bytes: 300, least: 10, most: 50 });
  });

  it('is all or nothing at the ends, and nothing when the rule is off', () => {
    expect(dropOf(short, 0).documents).toBe(70);
    expect(dropOf(short, 1).documents).toBe(0);
    expect(dropOf(words, 0).documents).toBe(0);
    expect(dropOf(words, 1000).documents).toBe(100);
    expect(dropOf(words, null)).toEqual({ documents: 0, bytes: 0, least: 0, most: 0 });
  });

  it('adds up over languages', () => {
    const german = { ...words, language: 'de', documents: [1, 1, 1, 1], bytes: [1, 1, 1, 1] };
    const all = addConsequences([consequenceOf(words, 25), consequenceOf(german, 25)]);
    expect(all.total).toEqual({ documents: 104, bytes: 1004 });
    expect([all.before.documents, all.after.documents]).toEqual([12, 5]);
  });

  it('is written with its sign and its doubt', () => {
    expect(writeDifference(consequenceOf(short, 0.4))).toBe('+30');
    expect(writeDifference(consequenceOf(short, 0.8))).toBe('\u22128');
    expect(writeDifference(consequenceOf(short, 0.5))).toBe('+15 \u00b1 15');
    expect(writeDifference(consequenceOf(short, 0.6))).toBe('\u00b10');
  });

  it('keeps a document at the threshold', () => {
    expect([drops('max', 0.6, 0.6), drops('max', 0.61, 0.6), drops('min', 50, 50), drops('min', 49, 50), drops('min', 1, null)]).toEqual([false, true, false, true, false]);
  });
});

describe('merging languages', () => {
  it('adds equal bins', () => expect(mergeHistograms([words, { ...words, language: 'de' }])?.documents).toEqual([8, 12, 80, 100]));

  it('spreads other bins evenly and loses no document', () => {
    const other: Histogram = { ...words, language: 'de', edges: [-10, 10, 50, 2000], documents: [20, 8, 12], bytes: [0, 0, 0] };
    const merged = mergeHistograms([words, other]);
    expect(merged?.edges).toEqual(words.edges);
    expect(merged?.documents.reduce((a, b) => a + b)).toBeCloseTo(140);
    expect(merged?.documents[0]).toBeCloseTo(4 + 20 + 3);
  });

  it('has nothing to merge in nothing', () => expect(mergeHistograms([])).toBeNull());
});

describe('the axis', () => {
  const counts = [0, 1, 2, 3, 4, 5, 6, 8, 10, 20, 50, 100, 1000, 10_000, 100_000, 1_000_000];
  it.each([[short.edges, false], [counts, true]])('goes from a value to its place and back: %j', (edges, log) => {
    const axis = axisOf(edges);
    expect(axis.log).toBe(log);
    for (const edge of edges) expect(axis.value(axis.place(edge))).toBeCloseTo(edge, 6);
    const places = edges.map(axis.place);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect([places[0], places.at(-1)]).toEqual([0, 1]);
  });

  it('has round ticks inside of it, apart from one another', () => {
    expect(ticksOf(axisOf([0, 0.25, 0.5, 0.75, 1]), 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    const axis = axisOf(counts);
    const ticks = ticksOf(axis, 8);
    expect(ticks.length).toBeGreaterThan(4);
    ticks.slice(1).forEach((tick, i) => expect(axis.place(tick) - axis.place(ticks[i] ?? 0)).toBeGreaterThanOrEqual(0.1));
  });

  it('rounds to what can be told apart', () => {
    expect(roundTo(0.61344, 0.001, false)).toBe(0.613);
    expect(roundTo(57.4, 0.1, true)).toBe(57);
  });
});

describe('keys on the threshold', () => {
  const axis = axisOf([0, 0.25, 0.5, 0.75, 1]);
  it('moves by a hundredth, by ten with Shift, and stays inside', () => {
    expect(pressed('ArrowRight', false, 0.6, axis, false)).toBeCloseTo(0.61);
    expect(pressed('ArrowLeft', true, 0.6, axis, false)).toBeCloseTo(0.5);
    expect(pressed('PageUp', false, 0.95, axis, false)).toBe(1);
    expect(pressed('Home', false, 0.6, axis, false)).toBe(0);
    expect(pressed('End', false, 0.6, axis, false)).toBe(1);
    expect(pressed('x', false, 0.6, axis, false)).toBeNull();
  });

  it('moves whole numbers by one at least', () => {
    const few = axisOf([0, 1, 2, 3, 4, 5, 6, 8, 10, 20, 50, 100, 1000, 10_000, 100_000, 1_000_000]);
    expect(pressed('ArrowRight', false, 2, few, true)).toBe(3);
    expect(pressed('ArrowLeft', false, 2, few, true)).toBe(1);
    expect(pressed('ArrowRight', false, 1000, few, true)).toBeGreaterThan(1001);
  });
});

describe('documents that a threshold decides', () => {
  const at = (figure: number, rule: string | null = null) => ({ rule, figure: rule ? figure : null, figures: { [short.rule]: figure } });
  const samples = [at(0.3), at(0.55), at(0.59), at(0.7, short.rule), at(0.9, short.rule), { rule: 'url.domain', figure: null }];

  it('lie between the two thresholds', () => {
    expect(decidedBy(samples, short.rule, short, 0.5, 10).map((s) => figureOf(s, short.rule))).toEqual([0.55, 0.59]);
    expect(decidedBy(samples, short.rule, short, 0.8, 10).map((s) => figureOf(s, short.rule))).toEqual([0.7]);
    expect(decidedBy(samples, short.rule, short, null, 10)).toHaveLength(2);
  });

  it('are the nearest ones while nothing is moved', () => {
    expect(decidedBy(samples, short.rule, short, 0.6, 2).map((s) => figureOf(s, short.rule))).toEqual([0.59, 0.55]);
  });
});
