"""The compiled kernels against the plain definitions: repeated n-grams, sentences, hashes."""

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from line_sentences import count_sentences

from workers.curation.hashing import PRIME, append, hash_string
from workers.curation.ngrams import duplicate_ngrams, top_ngrams
from workers.curation.sentences import count_line_sentences
from workers.curation.text import Text

FEW_WORDS = st.lists(
    st.sampled_from(["a", "b", "ab", "ba", "aa", "abc"]), max_size=40
)  # "a ba" and "ab a" read the same


def top_by_definition(words: list[str], n: int) -> int:
    """Characters of the first of the most frequent n-grams, times its count."""
    ngrams = Counter(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
    if not ngrams:
        return -1
    ngram, count = max(ngrams.items(), key=lambda item: item[1])
    return len(ngram) * count


def duplicates_by_definition(words: list[str], n: int) -> int:
    """Characters of n-grams, blanks left out, that the walk met before; it steps over each of them."""
    seen: set[str] = set()
    chars = at = 0
    while at <= len(words) - n:
        ngram = "".join(words[at : at + n])
        chars += len(ngram) * (ngram in seen)
        at += n if ngram in seen else 1
        seen.add(ngram)
    return chars


@settings(deadline=None)
@example([])
@example(["a", "ba", "x", "ab", "a", "x"])
@given(FEW_WORDS)
def test_ngrams_by_definition(words: list[str]) -> None:
    text = Text(" ".join(words), "xx")
    lexicon = text.lexicon
    lengths = lexicon.lengths.array
    top, places = top_ngrams(text.word_numbers, lengths, 4)
    assert top[1:].tolist() == [top_by_definition(words, n) for n in range(1, 5)]
    duplicate, _ = duplicate_ngrams(text.word_numbers, lengths, lexicon.hashes.array, lexicon.powers.array, 10)
    assert duplicate[1:].tolist() == [duplicates_by_definition(words, n) for n in range(1, 11)]
    for n in range(1, min(4, len(words)) + 1):
        at = int(places[n])
        assert words.index(words[at]) <= at
        count = top_by_definition(words, n) // len(" ".join(words[at : at + n]))
        assert [words[i : i + n] for i in range(len(words))].count(words[at : at + n]) == count


@given(st.text(max_size=60), st.text(max_size=60))
def test_hash_of_a_whole_follows_from_its_parts(left: str, right: str) -> None:
    value, power = hash_string(right)
    joined = append(np.uint64(hash_string(left)[0]), np.uint64(power), np.uint64(value))
    assert int(joined) == hash_string(left + right)[0] < PRIME


def test_different_short_strings_have_different_hashes() -> None:
    strings = {f"{a}{b}{c}" for a in "abcdefghij" for b in ["", *"klmno"] for c in range(300)}
    assert len({hash_string(string)[0] for string in strings}) == len(strings)


@cache
def sentencizer() -> Any:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    return nlp


PIECES = [
    "It",
    "ends",
    ".",
    "!",
    "?",
    "...",
    " ",
    " ",
    " ",
    "  ",
    "\t",
    "\xa0",
    ")",
    '"',
    "”",
    "Mr.",
    "U.S.",
    "。",
    "3.5",
]
lines = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


@settings(deadline=None)
@example("ends.  ")
@example(" ends")
@example("ends .\xa0) It")
@given(lines)
def test_sentences_of_a_line_are_spacys(line: str) -> None:
    assert count_sentences(line) == max(1, len(list(sentencizer()(line).sents)))


@settings(deadline=None)
@given(st.lists(lines.map(str.strip).filter(bool), min_size=1, max_size=5))
def test_sentences_of_lines_add_up(some: list[str]) -> None:
    joined = "\n".join(some)
    text = Text(joined, "en")
    counts = [len(line.split()) for line in some]
    assert count_line_sentences(text, joined, counts, text.has_plain_blanks) == sum(map(count_sentences, some))


@pytest.mark.parametrize(
    ("text", "plain"),
    [("a b\nc", True), ("a  b", False), ("a\tb", False), ("é b", True), ("é\xa0b", False), ("a\x1fb", False)],
)
def test_plain_blanks(text: str, plain: bool) -> None:
    assert Text(text).has_plain_blanks is plain
