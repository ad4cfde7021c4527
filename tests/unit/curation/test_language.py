"""Language identification on real sentences, offline."""

import socket

import pytest

from workers.curation.document import Document
from workers.curation.language import Identifier
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
