"""FineWeb-2's recipe by language: real-looking pages that pass, and both sides of each language's own thresholds.

Figures: huggingface/fineweb-2, configs/{fra,spa,deu,ita,por}_Latn.yml, written down here once more.
"""

import math
from typing import Any

import pytest
import yaml

from workers.curation.document import Document, Drop
from workers.curation.filters import build_filter
from workers.curation.language import Identifier
from workers.curation.stop_words import stop_words, word_shares
from workers.curation.text import Text
from workers.specs import preset_text
from workers.specs.curation import CurationSpec

SPEC = CurationSpec.model_validate(yaml.safe_load(preset_text("fineweb2")))

PAGES = {
    "fr": (
        "La rivière prend sa source dans les collines au-dessus de la ville et tourne vers l'ouest. Son eau fait "
        "tourner le vieux moulin, qui moud le blé depuis trois cents ans.\n"
        "Au printemps, la neige fond et le meunier ouvre les deux vannes du barrage. Il doit faire vite, car les "
        "prés derrière la maison seraient bientôt sous l'eau.\n"
        "La plus grande partie de la farine va au boulanger de la place du marché, qui dit qu'aucun autre moulin "
        "ne moud aussi régulièrement.\n"
        "Quand le meunier prendra sa retraite, sa fille reprendra l'affaire ; elle veut installer une petite "
        "turbine."
    ),
    "es": (
        "El río nace en las colinas que están sobre el pueblo y gira hacia el oeste. Su agua mueve el viejo "
        "molino, que muele trigo desde hace trescientos años.\n"
        "En primavera la nieve se derrite y el molinero abre las dos compuertas de la presa. Tiene que darse "
        "prisa, porque los prados que hay detrás de la casa quedarían pronto cubiertos.\n"
        "La mayor parte de la harina llega a la panadera de la plaza del mercado, que asegura que ningún otro "
        "molino trabaja con tanto cuidado.\n"
        "Cuando el molinero se jubile, su hija llevará el negocio y quiere instalar una pequeña turbina."
    ),
    "de": (
        "Der Fluss entspringt in den Hügeln über der Stadt und wendet sich nach Westen. Sein Wasser treibt die "
        "alte Mühle an, die seit dreihundert Jahren Korn mahlt.\n"
        "Im Frühjahr schmilzt der Schnee, und der Müller öffnet die beiden Tore des Wehrs. Er muss sich beeilen, "
        "denn die Wiesen hinter dem Haus stünden sonst bald unter Wasser.\n"
        "Das meiste Mehl geht an die Bäckerin auf dem Marktplatz, die sagt, dass keine andere Mühle so "
        "gleichmäßig mahlt.\n"
        "Wenn der Müller in den Ruhestand geht, übernimmt seine Tochter den Betrieb; sie plant eine kleine "
        "Turbine."
    ),
    "it": (
        "Il fiume nasce nelle colline sopra la città e piega verso ovest. La sua acqua muove il vecchio mulino, "
        "che macina il grano da trecento anni.\n"
        "In primavera la neve si scioglie e il mugnaio apre le due chiuse dello sbarramento. Deve fare in fretta, "
        "perché i prati dietro la casa sarebbero presto sott'acqua.\n"
        "La maggior parte della farina va alla fornaia della piazza del mercato, che dice che nessun altro mulino "
        "macina con la stessa cura.\n"
        "Quando il mugnaio andrà in pensione, la figlia prenderà in mano l'azienda e vuole una piccola turbina."
    ),
    "pt": (
        "O rio nasce nas colinas acima da cidade e vira para oeste. A sua água move o velho moinho, que mói trigo "
        "há trezentos anos.\n"
        "Na primavera a neve derrete e o moleiro abre as duas comportas da represa. Tem de ser rápido, porque os "
        "prados atrás da casa ficariam em breve debaixo de água.\n"
        "A maior parte da farinha vai para a padeira da praça do mercado, que diz que nenhum outro moinho "
        "trabalha com tanto cuidado.\n"
        "Quando o moleiro se reformar, a filha ficará com o negócio e quer instalar uma pequena turbina."
    ),
}
LANGUAGES = list(PAGES)

#          dup lines, top 2-gram, dup 5-gram, line punctuation, newlines, mean length, alphabetic
GOLDEN: dict[str, tuple[float, float, float, tuple[int, int], float, tuple[int, int], float]] = {
    "fr": (0.264, 0.161, 0.150, (1, 10), 0.185, (2, 11), 0.812),
    "es": (0.265, 0.077, 0.152, (3, 10), 0.171, (4, 14), 0.825),
    "de": (0.263, 0.169, 0.141, (0, 10), 0.152, (0, 15), 0.774),
    "it": (0.246, 0.198, 0.144, (1, 40), 0.200, (3, 21), 0.807),
    "pt": (0.325, 0.093, 0.190, (2, 12), 0.230, (3, 13), 0.814),
}


def filters(language: str) -> dict[str, Any]:
    """The preset's filters for a language, by kind."""
    return {spec.kind: spec for spec in SPEC.filters if not spec.languages or language in spec.languages}


def judge(specs: list[Any], text: str, language: str) -> str:
    """The rule that drops the text; empty: kept unchanged."""
    document = Document(id="0", source="test", text=text, media_type="text/plain", language=language)
    for spec in specs:
        verdict = build_filter(spec).judge(document, Text(text, language))
        if isinstance(verdict, Drop):
            return verdict.rule
        assert verdict.text == text
    return ""


def only(language: str, kind: str, rule: str, **changes: Any) -> list[Any]:
    """A filter of the preset with all rules but one switched off."""
    spec = filters(language)[kind]
    off = {
        name: {} if isinstance(value, dict) else None
        for name, value in spec
        if name.startswith(("min_", "max_")) and name != rule
    }
    return [spec.model_copy(update=off | changes)]


def words(count: int, length: int = 6) -> list[str]:
    """Different words of letters."""
    found = []
    for i in range(count):
        digits = [chr(97 + i // 26**place % 26) for place in range(length)]
        found.append("".join(reversed(digits)))
    assert len(set(found)) == count
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_good_page_is_named_and_passes(language: str) -> None:
    document = Document(id="0", source="test", text=PAGES[language], media_type="text/plain")
    assert Identifier(SPEC.language).judge(document) is None
    assert document.language == language
    assert judge(list(filters(language).values()), PAGES[language], language) == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_english_rules_would_drop_it(language: str) -> None:
    english = [spec for kind, spec in filters("en").items() if kind != "url"]
    assert judge(english, PAGES[language], language) == "gopher_quality.min_stop_words"


def test_each_language_has_its_own_least_score() -> None:
    assert SPEC.language.min_score_by_language == {"fr": 0.824, "es": 0.84, "de": 0.821, "it": 0.817, "pt": 0.799}
    mixed = PAGES["fr"][:60] + " The river rises in the hills above the town and turns to the west, to the mill."
    document = Document(id="0", source="test", text=mixed, media_type="text/plain")
    drop = Identifier(SPEC.language).judge(document)
    assert drop is not None
    assert drop.rule == "language.min_score"
    assert drop.figure is not None
    assert drop.threshold is not None
    assert 0 < drop.figure < drop.threshold


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_fineweb_2_leaves_out(language: str) -> None:
    assert set(filters(language)) == {"url", "gopher_repetition", "fineweb_quality", "gopher_quality"}
    assert SPEC.dedup.before_filters
    assert SPEC.dedup.rehydrate
    assert SPEC.repair_text
    code = PAGES[language] + "\nint main() { return 0; }"
    assert judge(list(filters(language).values()), code, language) == ""
    paragraph = words(3)
    repeated = PAGES[language] + ("\n\n" + " ".join(paragraph)) * 2
    assert judge([filters(language)["gopher_repetition"]], repeated, language) == ""
    short_lines = "\n".join(f"{' '.join(words(40)[i : i + 3])}." for i in range(0, 36, 3))  # all under 30 characters
    spec = filters(language)["fineweb_quality"].model_copy(update={"max_newline_word_ratio": None})
    assert judge([spec], short_lines, language) == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_duplicate_lines(language: str) -> None:
    threshold = GOLDEN[language][0]
    spec = only(language, "gopher_repetition", "max_duplicate_line_fraction")
    at = round(threshold * 1000)
    for repeated, expected in ((at, ""), (at + 1, "gopher_repetition.max_duplicate_line_fraction")):
        different = words(1000 - repeated)
        assert judge(spec, "\n".join(different + different[:repeated]), language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_most_frequent_pair_of_words(language: str) -> None:
    threshold = GOLDEN[language][1]
    spec = only(
        language, "gopher_repetition", "max_top_ngram_char_fraction", max_top_ngram_char_fraction={2: threshold}
    )
    assert filters(language)["gopher_repetition"].max_top_ngram_char_fraction[2] == threshold
    at = math.floor(threshold * 1000 / 9 + 1e-9)  # "big mills" has 9 characters
    for count, expected in ((at, ""), (at + 1, "gopher_repetition.max_top_ngram_char_fraction.2")):
        between = words(200)
        parts = [f"big mills {between[i]}" for i in range(count)]
        text = " ".join(parts + between[count:])[:1000]
        assert len(text) == 1000
        assert judge(spec, text, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_repeated_runs_of_five_words(language: str) -> None:
    threshold = GOLDEN[language][2]
    spec = only(
        language,
        "gopher_repetition",
        "max_duplicate_ngram_char_fraction",
        max_duplicate_ngram_char_fraction={5: threshold},
    )
    assert filters(language)["gopher_repetition"].max_duplicate_ngram_char_fraction[5] == threshold
    phrase = "ab cd ef gh ij"  # 10 characters without blanks, over all with them
    least = math.ceil(10 / threshold)
    for size, expected in ((least, ""), (least - 1, "gopher_repetition.max_duplicate_ngram_char_fraction.5")):
        filler = words(15)
        text = f"{phrase} {filler[0]} {phrase} {' '.join(filler[1:])}"
        text = text[:size]
        assert len(text) == size
        assert judge(spec, text, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_that_end_like_sentences(language: str) -> None:
    ended, lines = GOLDEN[language][3]
    spec = only(language, "fineweb_quality", "min_line_punctuation_ratio")

    def page(num_lines: int) -> str:
        return "\n".join(word + ("." if i < ended else "") for i, word in enumerate(words(num_lines)))

    assert judge(spec, page(lines), language) == ""
    if ended:  # German has no such bound
        assert judge(spec, page(lines + 1), language) == "fineweb_quality.min_line_punctuation_ratio"


@pytest.mark.parametrize("language", LANGUAGES)
def test_line_breaks_for_words(language: str) -> None:
    spec = only(language, "fineweb_quality", "max_newline_word_ratio")
    at = math.floor(GOLDEN[language][4] * 1000 + 1e-9)
    for breaks, expected in ((at, ""), (at + 1, "fineweb_quality.max_newline_word_ratio")):
        some = words(1000)
        text = "\n".join(some[: breaks + 1]) + " " + " ".join(some[breaks + 1 :])
        assert judge(spec, text, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_repeated_characters_in_lines(language: str) -> None:
    spec = only(language, "fineweb_quality", "max_duplicate_line_char_ratio")
    for repeated, expected in ((10, ""), (11, "fineweb_quality.max_duplicate_line_char_ratio")):
        lines = ["aaaaaaaaa."] * (repeated + 1)
        lines += [f"{word}..." for word in words(100)[: 99 - repeated]] + ["b."]
        text = "\n".join(lines)
        missing = 1000 - len(text.replace("\n", ""))
        assert judge(spec, text + "c" * missing, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_mean_word_length(language: str) -> None:
    shortest, longest = GOLDEN[language][5]
    lower = only(language, "gopher_quality", "min_mean_word_length")
    upper = only(language, "gopher_quality", "max_mean_word_length")
    assert judge(upper, " ".join(words(26, longest)), language) == ""
    assert judge(upper, " ".join(words(26, longest)) + "s", language) == "gopher_quality.max_mean_word_length"
    assert judge(lower, " ".join(words(26, max(2, shortest))), language) == ""
    if shortest:  # German has no such bound
        shorter = " ".join(words(26, shortest))[:-1]
        assert judge(lower, shorter, language) == "gopher_quality.min_mean_word_length"


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_with_letters(language: str) -> None:
    spec = only(language, "gopher_quality", "min_alphabetic_word_ratio")
    at = round(GOLDEN[language][6] * 1000)
    for alphabetic, expected in ((at, ""), (at - 1, "gopher_quality.min_alphabetic_word_ratio")):
        text = " ".join(words(alphabetic) + ["7"] * (1000 - alphabetic))
        assert judge(spec, text, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_stop_words_of_the_language(language: str) -> None:
    spec = only(language, "gopher_quality", "min_stop_words", min_stop_words=2)
    assert filters(language)["gopher_quality"].min_stop_words == 2
    first, second = filters(language)["gopher_quality"].stop_words[:2]
    rest = " ".join(words(60))
    assert judge(spec, f"{first} {rest} {second}", language) == ""
    assert judge(spec, f"{first} {rest} {first}", language) == "gopher_quality.min_stop_words"
    assert judge(spec, f"{first.upper()} {rest} {second.upper()}", language) == "gopher_quality.min_stop_words"


def test_stop_words_follow_the_rule() -> None:
    """Frequent in each corpus: neither a corpus's own subject nor what was left untranslated."""
    letters = [f"word{i}" for i in range(5)]
    manuals = {"the": 0.06, "The": 0.01, "of": 0.03, "disk": 0.02, "to": 0.005, "by": 0.0049, "rare": 0.0001}
    novels = {"the": 0.05, "The": 0.02, "of": 0.03, "sea": 0.02, "to": 0.007, "by": 0.008, "rare": 0.0002}
    few = dict.fromkeys(letters, 0.001)
    german = {"der": 0.04, "und": 0.03, "the": 0.006, "Sie": 0.01, "of": 0.004}
    found = stop_words({"en": [manuals | few, novels | few], "de": [german, german]})
    assert found["en"] == ["the", "of", "to", "by", *letters[:3]]  # `by` and these make it eight with `The`
    assert found["de"] == ["der", "und", "Sie", "of"]
    assert word_shares([Text("Die Tür, die Tür! 3 Türen.", "de")])["Tür"] == pytest.approx(2 / 5)
