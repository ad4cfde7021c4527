import { describe, expect, it } from 'vitest';
import { changedPointers, diffLines, foldLines, sameJson, valueAtPointer } from '../src/figures/documents';
import { cutLines } from '../src/figures/spans';
import { filterRuns, groupOf } from '../src/figures/groups';
import { readFunnel, readLanguages } from '../src/figures/funnel';
import { changesOf, spellAction } from '../src/figures/interventions';

describe('differences', () => {
  it('names the leaves that changed', () => {
    const base = { optimizer: { lr: 1, beta: 2 }, filters: [1, 2], name: 'a' };
    expect(changedPointers(base, { ...base, optimizer: { beta: 2, lr: 3 } })).toEqual(['/optimizer/lr']);
    expect(changedPointers(base, { ...base, filters: [1] })).toEqual(['/filters']);
    expect(changedPointers(base, { filters: [1, 2], name: 'a', optimizer: { beta: 2, lr: 1 } })).toEqual([]);
    expect(changedPointers({ a: 1 }, {})).toEqual(['/a']);
  });

  it('does not care for the order of keys, but for that of lists', () => {
    expect(sameJson({ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 })).toBe(true);
    expect(sameJson([1, 2], [2, 1])).toBe(false);
  });

  it('keeps every line of both sides', () => {
    const [before, after] = ['a\nb\nc\nd', 'a\nx\nc\nd\ne'];
    const lines = diffLines(before, after);
    expect(lines.filter((l) => l.sign !== '+').map((l) => l.text).join('\n')).toBe(before);
    expect(lines.filter((l) => l.sign !== '-').map((l) => l.text).join('\n')).toBe(after);
    expect(lines.filter((l) => l.sign !== ' ').map((l) => l.sign + l.text)).toEqual(['-b', '+x', '+e']);
  });

  it('folds what is the same and far', () => {
    const text = Array.from({ length: 20 }, (_, i) => `line ${i}`);
    const folded = foldLines(diffLines(text.join('\n'), text.with(10, 'new').join('\n')));
    expect(folded.filter((line) => 'skipped' in line)).toEqual([{ skipped: 8 }, { skipped: 7 }]);
  });

  it('finds a value by its pointer', () => expect(valueAtPointer({ a: [{ b: 5 }] }, '/a/0/b')).toBe(5));
});

describe('spans', () => {
  const marked = (text: string, span: [number, number] | null) => cutLines(text, span).map((line) => line.filter((p) => p.marked).map((p) => p.text));

  it('marks the part of each line that the span touches, and changes no text', () => {
    expect(marked('one\ntwo\nthree', [2, 6])).toEqual([['e'], ['tw'], []]);
    expect(cutLines('one\ntwo', [2, 6]).map((l) => l.map((p) => p.text).join('')).join('\n')).toBe('one\ntwo');
  });

  it('counts as Python does: an emoji is one character', () => expect(marked('🙂🙂ab', [2, 4])).toEqual([['ab']]));

  it('marks nothing without a span or with one outside of the text', () => {
    expect(marked('abc', null)).toEqual([[]]);
    expect(marked('abc', [7, 9])).toEqual([[]]);
  });
});

describe('the list of runs', () => {
  const run = (id: string, more: object = {}) => ({ id, name: id, kind: 'training', state: 'running', state_reason: '', parent_id: null, tags: [], ...more });

  it('puts what needs a person first', () => {
    expect(groupOf(run('a', { state: 'paused' }))).toBe('Needs you');
    expect(groupOf(run('a', { state: 'queued', state_reason: 'no worker online for pool gpu' }))).toBe('Needs you');
    expect(groupOf(run('a', { state: 'queued', state_reason: 'behind width-d256' }))).toBe('Queued');
    expect(groupOf(run('a', { state: 'failed' }))).toBe('Finished');
  });

  it('hides stages under their pipeline until they are asked or searched for', () => {
    const runs = [run('pipe', { kind: 'pipeline' }), run('child', { parent_id: 'pipe', tags: ['muon'] }), run('orphan', { parent_id: 'gone' })];
    const ids = (filter: object) => filterRuns(runs, filter).map((r) => r.id);
    expect(ids({})).toEqual(['pipe', 'orphan']);
    expect(ids({ children: true })).toEqual(['pipe', 'child', 'orphan']);
    expect(ids({ q: 'MUON train' })).toEqual(['child']);
    expect(ids({ kind: 'pipeline' })).toEqual(['pipe']);
  });
});

describe('the funnel', () => {
  const statistics = {
    funnel: [
      { stage: 'read', documents: { unknown: 10 }, bytes: { unknown: 100 }, dropped: {} },
      { stage: 'gopher_quality', documents: { en: 4, fr: 2 }, bytes: { en: 40, fr: 50 }, dropped: { 'gopher_quality.min_words': { en: 1, fr: 2 }, 'gopher_quality.x': { en: 1 } } },
    ],
  };

  it('adds up over languages, or shows one', () => {
    expect(readFunnel(statistics)[1]).toMatchObject({ left: 6, dropped: 4, bytes: 90 });
    expect(readFunnel(statistics, 'fr')[1]).toMatchObject({ left: 2, dropped: 2 });
    expect(readFunnel(statistics)[1]?.rules[0]).toEqual({ rule: 'gopher_quality.min_words', dropped: 3 });
    expect(readLanguages(statistics).map((share) => share.language)).toEqual(['fr', 'en']);
  });

  it('is empty for what is no funnel', () => {
    for (const value of [null, {}, { funnel: 'x' }, { funnel: [null] }]) expect(readFunnel(value).every((s) => s.left === 0)).toBe(true);
  });
});

describe('interventions', () => {
  it('says what was done and what changed', () => {
    expect(spellAction('rollback+scale_lr')).toBe('Roll back, lower LR');
    expect(changesOf({ lr_scale: 1, clip: 1 }, { lr_scale: 0.5, clip: 1 })).toEqual([{ name: 'lr_scale', before: '1', after: '0.5' }]);
  });
});
