"""What the scorer sees: n-grams and shapes against a slow reference in plain Python."""

import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.curation.quality import features, ngrams
from workers.curation.quality.features import SHAPE_FIGURES, count_rows, rarity
from workers.curation.quality.features import Counter as NgramCounter
from workers.specs.curation.quality import HashedNgrams

WORD, FNV, PRIME = 1 << 64, 0xCBF29CE484222325, 0x100000001B3
TEXTS = st.text(st.sampled_from("aAbB é中1٣.!?… \n\t-_\u0301\U0001f600\U00020000İ"), max_size=40)


def kind(sign):
    """As the module's docstring says: blanks, line breaks, marks, letters, digits."""
    if sign == "\n":
        return "break"
    if sign.isspace():
        return "space"
    if ord(sign) >= 1 << 16:
        return "mark" if ord(sign) >= 0x1F000 and ord(sign) < 0x20000 else "letter"
    category = unicodedata.category(sign)[0]
    return "letter" if category in "LM" else "digit" if category == "N" else "mark"


def words_of(text):
    """Words, runs of a mark, and line breaks between them."""
    words, at, breaks = [], 0, 0
    while at < len(text):
        if kind(text[at]) in {"break", "space"}:
            breaks += kind(text[at]) == "break"
            at += 1
            continue
        if breaks:
            words.append("\n" if breaks == 1 else "\u2029")
            breaks = 0
        end = at + 1
        if kind(text[at]) == "mark":
            while end < len(text) and text[end] == text[at]:
                end += 1
            words.append(text[at] + ("\u2026" if end - at > 1 else ""))
        else:
            while end < len(text) and kind(text[end]) in {"letter", "digit"}:
                end += 1
            words.append("".join(fold(sign) for sign in text[at:end]))
        at = end
    return words


def fold(sign):
    lower = sign.lower() if ord(sign) < 1 << 16 and len(sign.lower()) == 1 else sign
    return "0" if kind(sign) == "digit" else lower


def mix(value):
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = ((value ^ (value >> 33)) * factor) % WORD
    return value ^ (value >> 33)


def fnv(signs, start=FNV):
    for sign in signs:
        start = ((start ^ ord(sign)) * PRIME) % WORD
    return start


def expected_counts(text, spec):
    words, counts = words_of(text), Counter()
    for end in range(len(words)):
        for n in range(1, spec.word_ngrams + 1):
            if end + 1 >= n:
                first, *others = words[end + 1 - n : end + 1]
                key = fnv(first)
                for word in others:
                    key = mix((key + 0x9E3779B97F4A7C15) % WORD) ^ fnv(word)
                counts[mix(key) % (1 << spec.num_buckets_log2)] += 1
    for word in words:
        if kind(word[0]) in {"letter", "digit"}:
            signs = f" {word} "
            for n in spec.char_ngrams:
                for start in range(len(signs) - n + 1):
                    key = fnv(signs[start : start + n], FNV + n)
                    counts[mix(key) % (1 << spec.num_buckets_log2)] += 1
    return counts


@settings(max_examples=150)
@given(TEXTS, st.integers(0, 3), st.sampled_from([[], [1], [3], [2, 4]]))
def test_ngrams_are_those_of_the_reference(text, word_ngrams, char_ngrams):
    spec = HashedNgrams(num_buckets_log2=12, word_ngrams=word_ngrams, char_ngrams=char_ngrams)
    counter = NgramCounter(spec)
    slots, _ = counter.count(text)
    assert {int(slot): int(counter.counts_V[slot]) for slot in slots} == dict(expected_counts(text, spec))
    assert len(set(slots.tolist())) == len(slots)
    counter.clear(slots)
    assert not counter.counts_V.any()  # nothing is left for the next text


def test_case_and_numbers_do_not_matter_but_line_breaks_do():
    spec = HashedNgrams(num_buckets_log2=16, shape=False)
    rows = count_rows(spec, ["In 1999 he left.", "in 2024 HE left.", "in 2024\nhe left."])
    first, second, third = (set(rows.slots[a:b].tolist()) for a, b in zip(rows.starts, rows.starts[1:], strict=False))
    assert first == second
    assert first != third


@settings(max_examples=150)
@given(TEXTS)
def test_shapes_are_those_of_the_reference(text):
    classes, lowers = ngrams.tables()
    counts = ngrams.measure_shape(ngrams.code_points(text, 1000), classes, lowers)
    lines = [line for line in text.split("\n") if line.strip(" \t")]
    kinds = [kind(sign) for sign in text]
    assert counts[ngrams.CHARS] == len(text)
    assert counts[ngrams.LINES] == len(lines)
    assert counts[ngrams.ENDED_LINES] == sum(line.rstrip(" \t")[-1] in ".!?…" for line in lines)
    assert counts[ngrams.LETTERS] == kinds.count("letter")
    assert counts[ngrams.DIGITS] == kinds.count("digit")
    assert counts[ngrams.MARKS] == kinds.count("mark")
    assert counts[ngrams.WORDS] == sum(kind(word[0]) in {"letter", "digit"} for word in words_of(text))
    ends = [i for i, sign in enumerate(text) if sign in ".!?…" and (i + 1 == len(text) or text[i + 1].isspace())]
    assert counts[ngrams.SENTENCES] == len(ends)
    assert np.isfinite(features.shape_figures(counts)).all()


@pytest.mark.parametrize("text", ["", " \n\t ", "\x00", "\ud800 broken", "a" * 50_000, "\n" * 50_000, "." * 50_000])
def test_hostile_texts_have_finite_figures(text):
    counter = NgramCounter(HashedNgrams(char_ngrams=[1, 8], word_ngrams=4, max_chars=30_000))
    slots, shape = counter.count(text)
    assert len(shape) == len(SHAPE_FIGURES)
    assert np.isfinite(shape).all()
    assert len(slots) <= len(counter.slots)


@pytest.mark.parametrize(("words", "chars"), [(4, []), (0, [1]), (0, [2]), (2, [1, 3, 8])])
def test_no_text_needs_more_room_than_is_set_aside(words, chars):
    size = ngrams.max_slots(9, words, len(chars))
    spec = HashedNgrams(num_buckets_log2=24, word_ngrams=words, char_ngrams=chars)
    for text in ("a b c d e", "abcdefghi", "\na\nb\nc.d", "\n.\n,\n;\n!a"):
        assert sum(expected_counts(text, spec).values()) <= size


def test_only_the_first_characters_count():
    counter = NgramCounter(HashedNgrams(max_chars=100))
    short, _ = counter.count("word " * 20)
    short = short.copy()
    counter.clear(short)
    long, _ = counter.count("word " * 20 + "other " * 20)
    assert short.tolist() == long.tolist()


def test_rarity_is_the_textbooks():
    spec = HashedNgrams(num_buckets_log2=20, word_ngrams=1, shape=False)
    rows = count_rows(spec, ["a b", "a c", "a c d"])
    values = sorted(float(value) for value in rarity(rows, 1 << 20) if value)
    # `a` in all three, `c` in two; `b` and `d` in one document alone tell nothing.
    assert values == pytest.approx([1.0, np.log(3 / 2) + 1])


def test_rows_can_be_taken():
    rows = count_rows(HashedNgrams(num_buckets_log2=12), ["one two", "", "three four five", "six"])
    taken = rows.take(np.array([2, 1, 0]))
    assert taken.starts.tolist() == [0, 5, 5, 8]
    assert taken.slots[:5].tolist() == rows.slots[3:8].tolist()
    assert (taken.shape == rows.shape[[2, 1, 0]]).all()
