"""Words: those of spaCy in each language, whatever the text; where they stand; and how they are numbered."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.curation import lexicon as lexicons
from workers.curation import spacy_rules
from workers.curation.lexicon import ALPHABETIC, END, PUNCT, SYMBOL, Lexicon
from workers.curation.spacy_rules import LANGUAGES, WordRules, word_rules
from workers.curation.text import Text

_FRAGMENTS = """
    Don't don't it's L'homme aujourd'hui dell'acqua l' gonna U.S. e.g. Mr. p.m. 10a.m. z.B. EE. UU. Sr. d.h. km 3.50 $ €
    10km/h 1,000 50% C++ n.º 1º https://a.org/b?c=d www.example.com a@b.org #tag @name semi-detached Straße naïve x1
    IS_ALPHA :) :-) :( ) ( : ; - -- — ... … ' \'\' " « » , . ! ? / < > [: :] = D P o _ ^ * °C. 日本語 मानक 😀 ́
    a b s A B ä 1 2 porte-monnaie e-mail arc-en-ciel
"""
FRAGMENTS = _FRAGMENTS.split()
BLANKS = [" ", " ", " ", "  ", "\n", "\t", "\xa0", " \n "]
texts = st.lists(st.sampled_from(FRAGMENTS) | st.sampled_from(BLANKS) | st.text(max_size=4), max_size=25).map("".join)


@cache
def spacy_tokenizer(language: str) -> Any:
    return spacy.blank(language).tokenizer


def spacy_words(text: str, language: str) -> list[str]:
    """As datatrove 0.10.1 takes them: without blanks, and without the word that spaCy may break on."""
    tokens = [token.text.strip() for token in spacy_tokenizer(language)(text.replace("IS_ALPHA", ""))]
    return [token for token in tokens if token]


@pytest.mark.parametrize("language", [*sorted(LANGUAGES - {"fr"}), "fr"])
def test_words_are_those_of_spacy(language: str) -> None:
    @settings(max_examples=60, deadline=None)
    @example("x:) )")  # a longer exception over the blank hides a shorter one
    @example("label[:] :-) >.<(:")
    @example("EE. UU.")
    @example("Vive en EE. UU., no en EE.  UU. ni EE.\nUU.")
    @example("Sie sagt z.B. nichts; d.h. es ist 10km/h.")
    @given(texts)
    def check(text: str) -> None:
        assert Text(text, language).words == spacy_words(text, language)

    check()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(LANGUAGES)), st.text(st.characters(categories=["L"], max_codepoint=0x24F), min_size=1))
def test_runs_of_latin_letters_are_what_spacy_makes_of_them(language: str, text: str) -> None:
    assert Text(text, language).words == spacy_words(text, language)


@settings(deadline=None)
@example("aIS_ALPHAb c ab")
@example("IS_ALPHA x1IS_ALPHAä (IS_ALPHA)")
@given(texts)
def test_words_cover_the_text_and_spans_say_where(text: str) -> None:
    split = Text(text, "en")
    assert [split.text[a:b].replace("IS_ALPHA", "") for a, b in split.word_spans] == split.words
    assert split.word_spans == sorted(split.word_spans)
    covered = "".join(split.words)
    assert covered == "".join(text.replace("IS_ALPHA", "").split())


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", "Don't pay $3.50 (or not)...", ["Do", "n't", "pay", "$", "3.50", "(", "or", "not", ")", "..."]),
        ("fr", "L'homme d\u2019aujourd'hui.", ["L'", "homme", "d\u2019", "aujourd'hui", "."]),
        ("es", "Vive en EE. UU.", ["Vive", "en", "EE. UU."]),
        ("de", "Das heißt z.B. Straße.", ["Das", "heißt", "z.B.", "Straße", "."]),
        ("it", "dell'acqua", ["dell'", "acqua"]),
        ("pt", "o Sr. Silva", ["o", "Sr.", "Silva"]),
        ("nl", "zo'n dag.", ["zo'n", "dag", "."]),
    ],
)
def test_words_by_language(language: str, text: str, words: list[str]) -> None:
    assert Text(text, language).words == words


def test_numbers_stand_for_words_and_what_is_known_of_them() -> None:
    text = Text("The dog, the DOG: 42 …", "en")
    numbers = text.word_numbers.tolist()
    assert [text.lexicon.words[n] for n in numbers] == ["The", "dog", ",", "the", "DOG", ":", "42", "…"]
    assert text.lexicon.lengths.array[numbers].tolist() == [3, 3, 1, 3, 3, 1, 2, 1]
    bits = text.lexicon.bits.array[numbers]
    assert (bits & ALPHABETIC > 0).tolist() == [True, True, False, True, True, False, False, False]
    assert (bits & SYMBOL > 0).tolist() == [False, False, True, False, False, True, False, True]
    assert (bits & PUNCT > 0).tolist() == [False, False, True, False, False, True, False, True]
    assert not (bits & END).any()
    assert Text("The same", "en").word_numbers[0] == numbers[0]


def test_a_full_lexicon_is_replaced_and_old_texts_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicons, "MAX_CHUNKS", 3)
    monkeypatch.setattr(lexicons, "_lexicons", {})
    old = Text("one two three four", "en")
    assert len(old.word_numbers) == 4
    new = Text("four five", "en")
    assert new.words == ["four", "five"]
    assert old.words == ["one", "two", "three", "four"]
    assert new.lexicon is not old.lexicon


def test_an_endless_chunk_costs_no_more_than_its_length() -> None:
    """spaCy needs minutes for 20,000 brackets; they are cut into pieces first."""
    text = Text(")" * 20_000, "en")
    assert len(text.words) == 20_000
    assert sum(map(len, Text("abc" * 20_000, "en").words)) == 60_000


def test_growth_keeps_what_was_there() -> None:
    book = Lexicon(word_rules("en"))
    words = [f"w{i}x" for i in range(5000)]
    first = book.split(" ".join(words), book.chunk_numbers(words))
    assert [book.words[n] for n in first.words] == words
    again = book.split(" ".join(words), book.chunk_numbers(words))
    assert np.array_equal(first.words, again.words)
    assert book.split("a, b", book.chunk_numbers(["a,", "b"])).ends.tolist() == [2, 3]


def test_rules_are_kept_and_a_damaged_file_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_rules, "__file__", str(tmp_path / "spacy_rules.py"))
    asked: list[str] = []
    ask = spacy_rules._ask_spacy
    monkeypatch.setattr(spacy_rules, "_ask_spacy", lambda language: (asked.append(language), ask(language))[1])
    text = "Sr. García: «no está en EE. UU.», dijo a las 10a.m. (3.50 €)"
    expected = spacy_words(text, "es")
    for is_kept in (False, True, False, True):
        asked.clear()
        (tmp_path / "__pycache__").mkdir(exist_ok=True)
        assert WordRules("es").split_text(text) == expected
        assert asked == ([] if is_kept else ["es"])
        if is_kept:
            [kept] = (tmp_path / "__pycache__").iterdir()
            kept.write_bytes(kept.read_bytes()[:1000])
    shutil.rmtree(tmp_path / "__pycache__")  # a place where nothing can be kept
    assert WordRules("es").split_text(text) == expected
