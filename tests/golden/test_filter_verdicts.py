"""Verdicts of the filters on readable texts: the rule that decides, its figure, and both sides of each threshold."""

import pytest
import yaml
from line_sentences import count_sentences

from workers.curation.document import Document, Drop
from workers.curation.filters import build_filter
from workers.curation.text import Text
from workers.specs import preset_text
from workers.specs.curation import CurationSpec
from workers.specs.curation.filters import C4Quality, Filter, FinewebQuality, GopherQuality, GopherRepetition, Url

PROSE = (
    "The river rises in the hills above the town and turns to the west. Its water drives the old mill, which has "
    "ground corn for three hundred years.\n"
    "In spring the snow melts and the miller opens both gates of the weir. He must be quick, for the meadows behind "
    "the house would soon be under water.\n"
    "Most of the flour goes to the baker on the market square. She says that no other mill grinds as evenly, and her "
    "customers seem to agree with that.\n"
    "When the miller retires, his daughter will take over the business. She has plans for a small turbine that could "
    "light the whole street."
)


def judge(spec: Filter, text: str, language: str = "en", url: str | None = None) -> Drop | str:
    """The drop, or the text that is left."""
    document = Document(id="0", source="test", text=text, media_type="text/plain", url=url, language=language)
    verdict = build_filter(spec).judge(document, Text(text, language))
    return verdict if isinstance(verdict, Drop) else verdict.text


def rule(spec: Filter, text: str, language: str = "en") -> str:
    """Name of the rule that drops the text, without its kind; empty: kept."""
    verdict = judge(spec, text, language)
    if isinstance(verdict, str):
        return ""
    assert verdict.rule.startswith(f"{spec.kind}.")
    return verdict.rule.removeprefix(f"{spec.kind}.")


def numbered(count: int, lead: str = "word") -> str:
    """Different words of five letters or more."""
    return " ".join(f"{lead}{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(count))


@pytest.mark.parametrize("spec", [Url(), GopherRepetition(), GopherQuality(), C4Quality(), FinewebQuality()])
def test_good_prose_passes_every_filter_unchanged(spec: Filter) -> None:
    assert judge(spec, PROSE) == PROSE


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/casino", "url.blocked_words"),
        ("https://example.org/CASINO-night", "url.blocked_words"),
        ("https://example.org/casinos", None),
        ("https://bad.example/x", "url.blocked_domains"),
        ("https://www.Bad.example:8080/x", "url.blocked_domains"),
        ("https://notbad.example/x", None),
        ("https://example.org/bad.example", None),
        ("http://[broken", None),
        (None, None),
    ],
)
def test_url(url: str | None, expected: str | None) -> None:
    spec = Url(blocked_domains=["bad.example"], blocked_words=["Casino"], ignore_case=True)
    verdict = judge(spec, PROSE, url=url)
    assert (verdict.rule if isinstance(verdict, Drop) else None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the be " + numbered(47), "min_words"),
        ("the be " + numbered(48), ""),
        ("the be " + numbered(47) + " . . . !", "min_words"),  # punctuation is no word
        ("a b c d e f g h i j " * 5 + "the to", "min_mean_word_length"),
        ("the be " + numbered(60, "extraordinary"), "max_mean_word_length"),
        ("the be " + numbered(50) + " #" * 6, "max_symbol_word_ratio"),  # 6 of 58 tokens
        ("the be " + numbered(50) + " #" * 5, ""),  # 5 of 57
        ("the be " + numbered(50) + " …" * 6, "max_symbol_word_ratio"),
        ("\n".join(f"- {numbered(3, c * 4)}" for c in "abcdefghijklmnopqrst") + "\nthe be", "max_bullet_line_ratio"),
        ("\n".join(f"• {numbered(6, c * 4)}" for c in "abcdefghijklmnopqr") + "\nthe be\nto of", ""),  # 18 of 20
        ("the be\n" + "\n".join(f"{numbered(20, c * 4)} ..." for c in "abc"), "max_ellipsis_line_ratio"),
        ("the be " + numbered(48) + " 7" * 13, "min_alphabetic_word_ratio"),  # 50 of 63
        ("the be " + numbered(48) + " 7" * 12, ""),  # 50 of 62
        ("the the " + numbered(60), "min_stop_words"),  # two different ones are wanted
        ("The Be " + numbered(60), "min_stop_words"),  # case counts
    ],
)
def test_gopher_quality(text: str, expected: str) -> None:
    assert rule(GopherQuality(), text) == expected


def test_gopher_quality_tells_figure_and_threshold() -> None:
    assert judge(GopherQuality(), "the be to of and") == Drop("gopher_quality.min_words", 5.0, 50.0)
    text = "the mill that stands with the river"
    assert judge(GopherQuality(max_words=4, min_words=None), text) == Drop("gopher_quality.max_words", 7.0, 4.0)
    assert judge(GopherQuality(min_words=None, max_words=None), text) == text


def test_duplicate_lines_and_where_they_stand() -> None:
    lines = [numbered(6, c * 4) for c in "abcdefg"]
    only_lines = GopherRepetition(
        max_duplicate_line_char_fraction=None, max_top_ngram_char_fraction={}, max_duplicate_ngram_char_fraction={}
    )
    assert rule(only_lines, "\n".join([*lines, *lines[:3]])) == ""  # 3 of 10 is not over 0.3
    text = "\n".join([*lines, *lines[:4]])
    verdict = judge(only_lines, text)
    assert isinstance(verdict, Drop)
    assert verdict.rule == "gopher_repetition.max_duplicate_line_fraction"
    assert verdict.figure == pytest.approx(4 / 11)
    assert verdict.span is not None
    assert verdict.span[0] > text.index(lines[0])
    assert text[slice(*verdict.span)] == lines[0]


def test_duplicate_line_characters() -> None:
    spec = GopherRepetition(
        max_duplicate_line_fraction=None, max_top_ngram_char_fraction={}, max_duplicate_ngram_char_fraction={}
    )
    long, short = "x" * 20, [f"{i:08d}" for i in range(7)]
    assert rule(spec, "\n".join([long, *short[:6], long])) == "max_duplicate_line_char_fraction"  # 20 of 95
    assert rule(spec, "\n".join([long, *short, long])) == ""  # 20 of 104


def test_duplicate_paragraphs() -> None:
    spec = GopherRepetition(
        max_duplicate_line_fraction=None,
        max_duplicate_line_char_fraction=None,
        max_top_ngram_char_fraction={},
        max_duplicate_ngram_char_fraction={},
    )
    text = "\n\n".join(["one and\ntwo", "three", "one and\ntwo"])
    assert rule(spec, text) == "max_duplicate_paragraph_fraction"
    fewer = spec.model_copy(update={"max_duplicate_paragraph_fraction": None})
    assert rule(fewer, text) == "max_duplicate_paragraph_char_fraction"
    assert rule(fewer, "one and\ntwo\n\n" + numbered(8) + "\n\none and\ntwo") == ""


def test_top_ngram() -> None:
    spec = GopherRepetition(max_top_ngram_char_fraction={2: 0.2}, max_duplicate_ngram_char_fraction={})
    # "big cat" has 7 characters; 3 of them are 21 of all.
    assert rule(spec, ("big cat aa big cat bb big cat " + numbered(20)).ljust(105, "z")[:105]) == ""  # 21 / 105 = .2
    verdict = judge(spec, ("big cat aa big cat bb big cat " + numbered(20))[:104])
    assert isinstance(verdict, Drop)
    assert verdict == Drop("gopher_repetition.max_top_ngram_char_fraction.2", 21 / 104, 0.2, (0, 7))


def test_duplicate_ngrams_are_walked_over_not_counted_twice() -> None:
    spec = GopherRepetition(max_top_ngram_char_fraction={}, max_duplicate_ngram_char_fraction={5: 0.15})
    phrase = "aa bb cc dd ee"  # 10 characters without blanks
    verdict = judge(spec, f"{phrase} xx {phrase} yy {phrase}")  # the second and third: 20 of 50 characters
    assert isinstance(verdict, Drop)
    assert verdict.figure == pytest.approx(20 / 50)
    assert verdict.span == (18, 32)
    # aaaa...: at each position the same 5-gram; the walk steps over 5 words at a time: 12 words -> seen once, 2 steps.
    verdict = judge(spec, " ".join(["ab"] * 12))
    assert isinstance(verdict, Drop)
    assert verdict.figure == pytest.approx(2 * 10 / 35)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is here. Two is here. Three is. Four is. Five is.", ""),
        ("One is here. Two is here. Three is. Four is.", "min_sentences"),
        (PROSE + "\nfunction main() { return 0; }", "drop_curly_bracket"),
        (PROSE + "\nPlease enable JavaScript {now}.", ""),  # the line goes before its bracket counts
        (PROSE + "\nLorem ipsum dolor sit amet.", "drop_lorem_ipsum"),
        ("{ a\n" + PROSE, ""),  # a line of two words goes before its bracket counts
        ("Too short\nlines\nonly here", "min_sentences"),
    ],
)
def test_c4(text: str, expected: str) -> None:
    assert rule(C4Quality(), text) == expected


def test_c4_drops_lines_and_keeps_the_page() -> None:
    noise = ["Home", "You must enable Javascript to see this.", "We value your privacy: read our Privacy Policy here."]
    long_word = "This line has a word of " + "x" * 1001
    text = "\n".join(
        [noise[0], PROSE, noise[1], noise[2], long_word, "  A claim[12] that is cited [citation needed].  "]
    )
    assert judge(C4Quality(), text) == PROSE + "\nA claim that is cited ."
    kept = judge(C4Quality(drop_javascript_lines=False, drop_policy_lines=False), text)
    assert isinstance(kept, str)
    assert noise[1] in kept
    assert noise[2] in kept


def test_c4_points_at_the_bracket() -> None:
    text = PROSE + "\nint main() { return 0; }"
    verdict = judge(C4Quality(), text)
    assert isinstance(verdict, Drop)
    assert verdict.span is not None
    assert text[slice(*verdict.span)] == "{"


@pytest.mark.parametrize(
    ("num_ended", "num_lines", "expected"),
    [(3, 25, ""), (2, 17, "min_line_punctuation_ratio"), (0, 5, "min_line_punctuation_ratio"), (5, 5, "")],
)
def test_fineweb_line_punctuation(num_ended: int, num_lines: int, expected: str) -> None:
    lines = [numbered(8, f"l{chr(97 + i)}e") + ("." if i < num_ended else "") for i in range(num_lines)]
    assert rule(FinewebQuality(), "\n".join(lines)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([numbered(30) + "."] + [f"this line is short {i}." for i in range(2)], ""),  # 2 of 3: .667 is not over .67
        (["x" * 30 + "."] + [f"{i} is short." for i in range(3)], "max_short_line_ratio"),
        ([numbered(40) + ".", "twice.", numbered(9, "other") + ".", "twice."], "max_duplicate_line_char_ratio"),
        ([numbered(99, c * 3) + "." for c in "abcdefg"] + ["", "   "] * 3, ""),  # blank lines are no duplicates
        (["Thisisalineofonewordthatislong"[:31] + f"{i}." for i in range(9)], "max_newline_word_ratio"),
    ],
)
def test_fineweb_lines(lines: list[str], expected: str) -> None:
    assert rule(FinewebQuality(), "\n".join(lines)) == expected


def test_fineweb_knows_terminal_punctuation_of_other_scripts_but_no_quotes() -> None:
    spec = FinewebQuality(max_short_line_ratio=None, max_newline_word_ratio=None)
    assert rule(spec, "日本語の文です。") == ""
    assert rule(spec, "هل هذا سؤال؟") == ""
    assert rule(spec, 'She said "no"') == "min_line_punctuation_ratio"


def test_words() -> None:
    assert Text("Don't pay 3.50, see https://a.org/b (or not)...", "en").words == [
        "Do", "n't", "pay", "3.50", ",", "see", "https://a.org/b", "(", "or", "not", ")", "...",
    ]  # fmt: skip
    french = Text("L'homme d\u2019aujourd'hui, c'est l'eau.", "fr")
    assert french.words == ["L'", "homme", "d\u2019", "aujourd'hui", ",", "c'", "est", "l'", "eau", "."]
    assert [french.text[a:b] for a, b in french.word_spans] == french.words


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("", 1),  # as datatrove counts it
        ("No end", 1),
        ("One. Two", 2),
        ("One! Two? Three.", 3),
        ('He said "no." Then he left.', 2),
        ("v1.2 is out.", 1),
    ],
)
def test_sentences(line: str, count: int) -> None:
    assert count_sentences(line) == count


FRENCH = (
    "La rivière prend sa source dans les collines et coule vers l'ouest. Son eau entraîne le vieux moulin, qui moud "
    "le grain depuis trois cents ans.\n"
    "Au printemps la neige fond et le meunier ouvre les deux vannes du barrage. Il doit faire vite, car les prés "
    "derrière la maison seraient bientôt inondés.\n"
    "La plus grande partie de la farine est vendue au boulanger de la place du marché, un ami de la famille."
)


def test_per_language_rules_of_fineweb2_keep_french_where_english_ones_drop_it() -> None:
    spec = CurationSpec.model_validate(yaml.safe_load(preset_text("fineweb2")))
    mine = [f for f in spec.filters if not f.languages or "fr" in f.languages]
    assert {f.kind for f in mine} >= {"gopher_repetition", "gopher_quality", "fineweb_quality"}
    assert [rule(f, FRENCH, "fr") for f in mine] == [""] * len(mine)
    assert rule(GopherQuality(), FRENCH, "fr") == "min_stop_words"
