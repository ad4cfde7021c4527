"""FineWeb's filters on both sides of every threshold. The verdicts are datatrove 0.10.1's on the same texts.

`benchmarks/curation_fineweb.py --filters-only` compares the two on real pages.
"""

import pytest
from line_sentences import count_sentences

from workers.curation.document import Document, Drop
from workers.curation.filters import build_filter
from workers.curation.text import Text
from workers.specs.curation.filters import C4Quality, Filter, FinewebQuality, GopherQuality, GopherRepetition


def words(count: int, lead: str = "word") -> str:
    """Different words of the lead's length and two letters."""
    return " ".join(f"{lead}{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(count))


def lines(count: int, width: int = 20, lead: str = "l") -> list[str]:
    """Different lines of one word."""
    return [f"{lead}{i:03d}".ljust(width, "x") for i in range(count)]


def judge(spec: Filter, text: str) -> tuple[str, Document]:
    """Rule that drops the text, without its kind (empty: kept), and the document with its figures."""
    document = Document(id="0", source="test", text=text, media_type="text/plain", language="en")
    verdict = build_filter(spec).judge(document, Text(text, "en"))
    return (verdict.rule.removeprefix(f"{spec.kind}.") if isinstance(verdict, Drop) else ""), document


def repeated_phrase(n: int, num_filler: int) -> str:
    """A phrase of n five-letter words, twice, among different words."""
    phrase = words(n, "abc")
    return f"{phrase} {words(3, 'xyz')} {phrase} {words(num_filler, 'fff')}"


ELEMENTS = GopherRepetition(max_top_ngram_char_fraction={}, max_duplicate_ngram_char_fraction={})
REPEATED_ELEMENTS = [
    # 3 of 10 lines were there before; 4 of 11. Short ones, so that their characters weigh little.
    ("\n".join([*lines(6, 4), words(60), *lines(3, 4)]), ""),
    ("\n".join([*lines(6, 4), words(60), *lines(4, 4)]), "max_duplicate_line_fraction"),
    # Paragraphs are looked at before lines: 1 of 4, 2 of 5.
    ("\n\n".join(["one", "two", words(60), "one"]), ""),
    ("\n\n".join(["one", words(60), "two", "one", "two"]), "max_duplicate_paragraph_fraction"),
    # Three line breaks part paragraphs like two; one does not.
    ("one\n\n\nthree\n\n" + words(60) + "\n\n\n\none\n\nthree", "max_duplicate_paragraph_fraction"),
    ("one\nthree\n\n" + words(60) + "\n\none\n\nthree\n" + "\n".join(lines(3, 5)), ""),
    # 20 characters of 100 in repeated lines; of 99.
    ("\n".join([*lines(2), lines(2)[0], words(6, "yyy")]).ljust(100, "q"), ""),
    ("\n".join([*lines(2), lines(2)[0], words(6, "yyy")])[:99], "max_duplicate_line_char_fraction"),
    # 29 characters of 145 in repeated paragraphs; of 144.
    ("\n\n".join(["a" * 29, "b" * 40, "c" * 41, "a" * 29]), ""),
    ("\n\n".join(["a" * 29, "b" * 40, "c" * 40, "a" * 29]), "max_duplicate_paragraph_char_fraction"),
]
TOP = GopherRepetition(max_duplicate_ngram_char_fraction={})
TOP_NGRAMS = [
    # "aa bb" has 5 characters and stands 4 times: 20 of 100, of 99.
    (f"aa bb cc aa bb dd aa bb ee aa bb {words(11)}"[:100], ""),
    (f"aa bb cc aa bb dd aa bb ee aa bb {words(11)}"[:99], "max_top_ngram_char_fraction.2"),
    # "aaa bbb c" has 9 and stands twice: 18 of 100, of 99.
    (f"aaa bbb c dd aaa bbb c {words(13)}"[:100], ""),
    (f"aaa bbb c dd aaa bbb c {words(13)}"[:99], "max_top_ngram_char_fraction.3"),
    # "aa bb c d" has 9 and stands twice, which is over .16 but not over .18 of 112.
    (f"aa bb c d ee aa bb c d {words(20)}"[:113], ""),
    (f"aa bb c d ee aa bb c d {words(20)}"[:112], "max_top_ngram_char_fraction.4"),
    # Of equally frequent ones the first counts, however short: all stand once.
    (f"a b {words(10)} {'x' * 60} {'y' * 60}", ""),
    (f"{'x' * 60} {'y' * 60} {words(10)} a b", "max_top_ngram_char_fraction.2"),
]
# A phrase of n words (5 n characters) stands twice: its share of all characters on both sides of the limit for n. Only
# the longer n-grams are left on, so that each is seen alone.
LIMITS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}

QUALITY = [
    ("the be " + words(48), ""),
    ("the be " + words(47), "min_words"),
    ("the be " + words(47) + " . , ; : ! ?", "min_words"),
    ("the be " + " ".join(["word"] * 99_998), ""),
    ("the be " + " ".join(["word"] * 99_999), "max_words"),
    ("the and " + "abc " * 30 + "ab abcd " * 10, ""),  # 3.0 letters on average
    ("the of " + "abc " * 30 + "ab abc " * 10, "min_mean_word_length"),
    ("that have " + "abcdefghij " * 50 + "abcdefghijklmnop " * 2, ""),  # 10.0
    ("that have " + "abcdefghij " * 50 + "abcdefghijklmnopq " * 2, "max_mean_word_length"),
    ("the be " + words(50) + " #" * 5, ""),
    ("the be " + words(50) + " #" * 6, "max_symbol_word_ratio"),
    ("the be" + " …" * 5 + " " + words(50), ""),
    ("the be" + " ..." * 6 + " " + words(50), "max_symbol_word_ratio"),
    ("\n".join(f"- {words(6, c * 4)}" for c in "abcdefghi") + "\nthe be", ""),  # 9 of 10
    ("\n".join(f"  • {words(6, c * 4)}" for c in "abcdefghij") + "\nthe be", "max_bullet_line_ratio"),
    ("the be " + "\n".join([*(f"{words(9, c * 4)}..." for c in "abc"), *(words(9, c * 3) for c in "defghij")]), ""),
    (
        "the be " + "\n".join([*(f"{words(9, c * 4)}… " for c in "abcd"), *(words(9, c * 3) for c in "defghijkl")]),
        "max_ellipsis_line_ratio",
    ),  # 4 of 13; blanks behind don't hide it
    ("the be " + words(50) + " 42" * 13, ""),  # 52 of 65
    ("the be " + words(50) + " 42" * 14, "min_alphabetic_word_ratio"),
    ("the to " + words(60), ""),
    ("the the " + words(60), "min_stop_words"),
    ("The To of " + words(60), "min_stop_words"),
    ("it's the " + words(60) + " be.", ""),  # "be." is "be" and a full stop
]

FIVE = "One is here. Two is here. Three is. Four is. "
C4 = [
    (FIVE + "Five is.", "", FIVE + "Five is."),
    (FIVE, "min_sentences", ""),
    (FIVE + 'Five "is." ) He left.', "", FIVE + 'Five "is." ) He left.'),
    (FIVE + "Five has three words\ntwo words\nand this three", "", FIVE + "Five has three words\nand this three"),
    (FIVE + "Five.\n" + "x" * 1000 + " is long", "", FIVE + "Five.\n" + "x" * 1000 + " is long"),
    (FIVE + "Five.\n" + "x" * 1001 + " is long", "", FIVE + "Five."),
    (FIVE + "Five. Lorem Ipsum is it.", "drop_lorem_ipsum", ""),
    (FIVE + "Five. So {it} is.", "drop_curly_bracket", ""),
    (FIVE + "Five.\nSo {javascript} is it.", "", FIVE + "Five."),
    (FIVE + "Five.\nWe use cookies on pages.", "", FIVE + "Five."),
    (FIVE + "Five.\nRead the Terms of Use now.", "", FIVE + "Five."),
    (FIVE + "Five.\nRead our cookie  policy now.", "", FIVE + "Five.\nRead our cookie  policy now."),
    (FIVE + "Five[1] is cited[citation needed].[edit]", "", FIVE + "Five is cited."),
    ("[1] [2] [3]\n" + FIVE + "Five.", "", FIVE + "Five."),
    ("  " + FIVE + " \r\n\tFive is it.\x85Six is it.", "", FIVE.strip() + "\nFive is it.\nSix is it."),
]

FINEWEB = [
    ("\n".join([words(8, c * 3) + "." for c in "abc"] + [words(8, c * 4) for c in "abcdefghijklmnopqrstuv"]), ""),
    (
        "\n".join([words(8, c * 3) + "." for c in "abc"] + [words(8, c * 4) for c in "abcdefghijklmnopqrstuvw"]),
        "min_line_punctuation_ratio",
    ),  # 3 of 26; of 25 it was .12
    ("\n".join([words(9, c * 3) + "." for c in "ab"] + [f"short line {c} is" for c in "abcd"]), ""),  # 4 of 6
    ("\n".join([words(20, c * 3) + "." for c in "a"] + ["short one two", "short three four", "short five"]),
     "max_short_line_ratio"),
    ("\n".join([words(9, "abc") + "."] + ["x " * 15 + c for c in "ab"]), ""),  # 31 characters are not short
    # 10 characters of 1,000 without line breaks stand twice; of 999.
    ("\n".join(["ten chars.", (words(140) + " ")[:980], "ten chars."]), ""),
    ("\n".join(["ten chars.", (words(140) + " ")[:979], "ten chars."]), "max_duplicate_line_char_ratio"),
    # Line breaks over words, punctuation included: 3 of 10, 3 of 9.
    ("\n".join(["a" * 40 + " two three.", "b" * 40, "c" * 40 + " two.", "d" * 40 + " e"]), ""),
    ("\n".join(["a" * 40 + " two three.", "b" * 40, "c" * 40 + " two.", "d" * 40]), "max_newline_word_ratio"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rule"), REPEATED_ELEMENTS)
def test_repeated_lines_and_paragraphs(text: str, rule: str) -> None:
    assert judge(ELEMENTS, text)[0] == rule


@pytest.mark.parametrize(("text", "rule"), TOP_NGRAMS)
def test_most_frequent_ngrams(text: str, rule: str) -> None:
    assert judge(TOP, text)[0] == rule


@pytest.mark.parametrize("n", LIMITS)
def test_repeated_ngrams(n: int) -> None:
    spec = GopherRepetition(max_top_ngram_char_fraction={}, max_duplicate_ngram_char_fraction={n: LIMITS[n]})
    fillers = range(1, 200)
    shares = [5 * n / len(repeated_phrase(n, filler)) for filler in fillers]
    last = max(filler for filler, share in zip(fillers, shares, strict=True) if share > LIMITS[n])
    rule, document = judge(spec, repeated_phrase(n, last))
    assert rule == f"max_duplicate_ngram_char_fraction.{n}"
    assert document.figures[f"gopher_repetition.{rule}"] == pytest.approx(shares[last - 1])
    assert judge(spec, repeated_phrase(n, last + 1))[0] == ""


@pytest.mark.parametrize(("text", "rule"), QUALITY)
def test_quality(text: str, rule: str) -> None:
    assert judge(GopherQuality(), text)[0] == rule


@pytest.mark.parametrize(("text", "rule", "left"), C4)
def test_c4(text: str, rule: str, left: str) -> None:
    document = Document(id="0", source="test", text=text, media_type="text/plain", language="en")
    verdict = build_filter(C4Quality()).judge(document, Text(text, "en"))
    assert (verdict.rule.removeprefix("c4_quality.") if isinstance(verdict, Drop) else "") == rule
    assert (verdict.text if isinstance(verdict, Text) else "") == left


@pytest.mark.parametrize(("text", "rule"), FINEWEB)
def test_fineweb(text: str, rule: str) -> None:
    assert judge(FinewebQuality(), text)[0] == rule


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("It ends.  Two blanks begin a sentence. ", 2),
        ("It ends. (So it does.) Yes.", 3),
        ("It ends.  ) a bracket after two blanks", 2),
        ("It ends. ) a bracket after one", 2),
        ("Really?! Yes... no", 2),
        ("Mr. Smith of the U.S. has $3.50.", 1),
        ("終わり。始まり", 1),
        ("終わり 。 始まり", 2),
        ("It ends.\tb", 2),
        ("a. b. c", 1),
    ],
)
def test_sentences(line: str, count: int) -> None:
    assert count_sentences(line) == count


def test_figures_are_noted_up_to_the_rule_that_drops() -> None:
    """A kept document has all of them; that is what the histograms are made of."""
    kept = judge(GopherQuality(), "the be " + words(60))[1].figures
    assert list(kept) == [
        f"gopher_quality.{name}" for name, value in GopherQuality() if name.startswith(("min_", "max_"))
    ]
    dropped = judge(GopherQuality(), "the be " + words(50) + " #" * 6)[1].figures
    assert list(dropped)[-1] == "gopher_quality.max_symbol_word_ratio"
    assert dropped["gopher_quality.max_symbol_word_ratio"] == pytest.approx(6 / 58)
    repetition = judge(GopherRepetition(), words(60))[1].figures
    assert {rule.rpartition(".")[2] for rule in repetition} >= {str(n) for n in range(2, 11)}
    assert len(repetition) == 4 + 3 + 6
    assert judge(C4Quality(), FIVE + "Five.")[1].figures == {"c4_quality.min_sentences": 5.0}
    assert len(judge(FinewebQuality(), FIVE.strip())[1].figures) == 4


def test_a_limit_of_none_judges_nothing_and_notes_all() -> None:
    spec = GopherQuality(min_words=None, min_stop_words=None)
    rule, document = judge(spec, "much too short")
    assert rule == ""
    assert document.figures["gopher_quality.min_words"] == 3


@pytest.mark.parametrize(
    ("specs", "cases"),
    [
        ([ELEMENTS, TOP], REPEATED_ELEMENTS + TOP_NGRAMS),
        ([GopherQuality()], QUALITY),
        ([FinewebQuality()], FINEWEB),
    ],
)
def test_each_limit_is_seen_broken(specs: list[Filter], cases: list[tuple[str, str]]) -> None:
    limits = {name for spec in specs for name, limit in spec if name.startswith(("min_", "max_")) and limit}
    broken = {rule.partition(".")[0] for _, rule in cases}
    assert limits - {"max_duplicate_ngram_char_fraction"} == broken - {""}
