import { describe, expect, it } from 'vitest';
import { labelKey, nextUnlabelled } from '../src/figures/labels';
import { showHidden } from '../src/figures/visible';
import { diffWords, type Word } from '../src/figures/wordDiff';

const own = (words: Word[]) => words.filter((word) => word.own && word.text.trim()).map((word) => word.text.trim());
const text = (words: Word[]) => words.map((word) => word.text).join('');

describe('differing words', () => {
  it('marks what only one side has and keeps both texts whole', () => {
    const [left, right] = ['the old boat  lies\nat the quay', 'the new boat lies\nat that quay today'];
    const [a, b] = diffWords(left, right);
    expect([text(a), text(b)]).toEqual([left, right]);
    expect(own(a)).toEqual(['old', 'the']);
    expect(own(b)).toEqual(['new', 'that', 'today']);
  });

  it('finds nothing in equal texts, and all in an empty one', () => {
    expect(own(diffWords('a b c', 'a b c')[0])).toEqual([]);
    expect(diffWords('', 'a b')).toEqual([[], [{ text: 'a b', own: true }]]);
    expect(diffWords('', '')).toEqual([[], []]);
  });

  it('ends in time on long texts and still keeps them whole', () => {
    const long = (seed: number) => Array.from({ length: 9000 }, (_, i) => `w${(i * seed) % 7919}`).join(' ');
    const [left, right] = [long(3), long(5)];
    const [a, b] = diffWords(left, right);
    expect(text(a)).toBe(left);
    expect(text(b)).toBe(right);
  });
});

describe('hidden characters', () => {
  it('are named, and all else stays', () => {
    expect(showHidden('a\u202eb\u0000\u0007')).toEqual([
      { text: 'a', hidden: false },
      { text: 'RLO', hidden: true },
      { text: 'b', hidden: false },
      { text: 'NUL', hidden: true },
      { text: 'U+0007', hidden: true },
    ]);
    expect(showHidden('tab\there\u200dnot\nnor')).toEqual([{ text: 'tab\there\u200dnot\nnor', hidden: false }]);
    expect(showHidden('')).toEqual([{ text: '', hidden: false }]);
  });

  it('names half of a pair, and not a whole one', () => {
    expect(showHidden('\ud83d\ude00')[0]?.hidden).toBe(false);
    expect(showHidden('x\ud83dy').map((part) => part.text)).toEqual(['x', 'U+D83D', 'y']);
  });
});

describe('label keys', () => {
  it('are 0 to 5 and a step back; nothing with a modifier', () => {
    expect(labelKey('0', false)).toEqual({ score: 0 });
    expect(labelKey('5', false)).toEqual({ score: 5 });
    expect([labelKey('6', false), labelKey('j', false), labelKey('3', true)]).toEqual([null, null, null]);
    expect([labelKey('u', false), labelKey('Backspace', false)]).toEqual(['undo', 'undo']);
  });

  it('go on to the next document without a label, and stay at the end', () => {
    const ids = ['a', 'b', 'c', 'd'];
    expect(nextUnlabelled(ids, 0, (id) => id === 'b')).toBe(2);
    expect(nextUnlabelled(ids, 1, () => true)).toBe(2);
    expect(nextUnlabelled(ids, 3, () => false)).toBe(3);
    expect(nextUnlabelled([], 0, () => false)).toBe(0);
  });
});
