"""Block lists of words: whole words and phrases, by language, with the figure and the place."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.curation.document import Document, Drop
from workers.curation.filters import build_filter
from workers.curation.text import Text
from workers.specs.curation.filters import BlockedWords

WORDS = [
    "the",
    "mill",
    "stands",
    "at",
    "the",
    "end",
    "of",
    "a",
    "channel",
    "and",
    "grinds",
    "corn",
    "for",
    "the",
    "village",
    "all",
    "year",
]


def judge(spec: BlockedWords, text: str, language: str = "en") -> tuple[Drop | Text, dict[str, float]]:
    document = Document("0", "s", text, "text/plain", language=language)
    return build_filter(spec).judge(document, Text(text, language)), document.figures


def test_share_on_both_sides_of_its_threshold() -> None:
    spec = BlockedWords(words=["damn"], max_share=0.2)
    kept, figures = judge(spec, "damn one two three four.")
    assert isinstance(kept, Text)
    assert figures == {"blocked_words.max_share": 0.2, "blocked_words.max_count": 1.0}
    dropped, figures = judge(spec, "one Damn, two DAMN three.")
    assert isinstance(dropped, Drop)
    assert (dropped.rule, dropped.figure, dropped.threshold) == ("blocked_words.max_share", 0.4, 0.2)
    assert dropped.span == (4, 8)
    assert figures["blocked_words.max_share"] == 0.4


def test_count_on_both_sides_of_its_threshold() -> None:
    spec = BlockedWords(words=["damn"], max_share=1, max_count=2)
    assert isinstance(judge(spec, "damn and damn")[0], Text)
    dropped, _ = judge(spec, "damn and damn and damn")
    assert isinstance(dropped, Drop)
    assert (dropped.rule, dropped.figure, dropped.threshold) == ("blocked_words.max_count", 3.0, 2.0)
    assert dropped.span == (18, 22), "the one that went over the bound"


@pytest.mark.parametrize("text", ["classic grass", "damnation", "goddamn", "as sign"])
def test_parts_of_words_don_t_count(text: str) -> None:
    verdict, figures = judge(BlockedWords(words=["ass", "damn"], max_share=0), text)
    assert isinstance(verdict, Text)
    assert figures["blocked_words.max_count"] == 0


def test_phrases_count_once_over_line_ends() -> None:
    spec = BlockedWords(words=["bloody", "bloody hell", "hell fire"], max_share=0.3)
    text = "It was a Bloody\nHell fire of a day and night."
    verdict, figures = judge(spec, text)
    assert isinstance(verdict, Text)
    assert figures == {"blocked_words.max_share": 2 / 11, "blocked_words.max_count": 1.0}
    dropped, _ = judge(spec.model_copy(update={"max_share": 0.1}), text)
    assert isinstance(dropped, Drop)
    assert dropped.span is not None
    assert text[slice(*dropped.span)] == "Bloody\nHell"


def test_each_language_has_its_own_list(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("# Wörter\nMist\ngroßer Käse\n", encoding="utf-8")
    (tmp_path / "fr.txt").write_text("zut\n", encoding="utf-8")
    files = {"de": str(tmp_path / "de.txt"), "fr": str(tmp_path / "fr.txt")}
    spec = BlockedWords(list_files=files, words=["spam"], max_share=0.0)
    for text, language, expected in (
        ("So ein MIST aber auch", "de", True),
        ("Das ist GROSSER und Großer Käse", "de", True),
        ("So ein Mist aber auch", "en", False),
        ("Ah zut alors", "fr", True),
        ("Ah zut alors", "de", False),
        ("Nothing but spam here", "it", True),
    ):
        assert isinstance(judge(spec, text, language)[0], Drop) == expected, text


def test_without_a_list_nothing_is_measured() -> None:
    verdict, figures = judge(BlockedWords(), "any words")
    assert isinstance(verdict, Text)
    assert figures == {}


def test_missing_file_is_named_when_the_filter_is_built(tmp_path: Path) -> None:
    gone = str(tmp_path / "de.txt")
    with pytest.raises(ValueError, match=r"blocked_words\.list_files\.de: there is no file .*de\.txt"):
        build_filter(BlockedWords(list_files={"de": gone}))


@given(st.lists(st.sampled_from([*WORDS, "damn", "hell"]), max_size=60))
@settings(max_examples=200, deadline=None)
def test_count_is_that_of_a_plain_count(words: list[str]) -> None:
    _, figures = judge(BlockedWords(words=["damn", "hell"], max_share=1), " ".join(words))
    assert figures["blocked_words.max_count"] == words.count("damn") + words.count("hell")


@given(st.text(max_size=200), st.sampled_from(["en", "fr", "de", "xx"]))
@settings(max_examples=100, deadline=None)
def test_any_text_is_judged(text: str, language: str) -> None:
    verdict, _ = judge(BlockedWords(words=[text, "a b", "!!"], max_share=0.5), text, language)
    assert isinstance(verdict, Drop | Text)
