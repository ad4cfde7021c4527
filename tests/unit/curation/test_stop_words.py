"""The command that derives stop words, on two small corpora in a data folder."""

import random
from pathlib import Path

import pytest

from workers.curation.stop_words import main

SUBJECTS = {
    "manuals": ["package", "kernel", "installer", "partition", "console", "network"],
    "novels": ["captain", "island", "harbour", "lantern", "voyage", "sailor"],
}


def page(words: list[str], seed: int) -> str:
    rng = random.Random(seed)
    lines = [
        f"The {rng.choice(words)} of the {rng.choice(words)} is not to be found in a {rng.choice(words)}, and the "
        f"{rng.choice(words)} that was there with the {rng.choice(words)} has gone to the other side of the house."
        for _ in range(8)
    ]
    return f"<html><body><main>{''.join(f'<p>{line}</p>' for line in lines)}</main></body></html>"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name, words in SUBJECTS.items():
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for i in range(6):
            (folder / f"{i}.html").write_text(page(words, i), encoding="utf-8")
    return tmp_path


def test_what_both_corpora_say_often(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "--corpus", str(home / "manuals"), "--corpus", str(home / "novels")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith('en: ["the", ')
    assert {'"of"', '"to"', '"is"', '"and"'} <= set(line.removeprefix("en: [").removesuffix("]").split(", "))
    assert not any(word in line for words in SUBJECTS.values() for word in words)


def test_one_corpus_brings_its_subject_in(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "--corpus", str(home / "manuals")]) == 0
    assert '"kernel"' in capsys.readouterr().out


def test_an_unknown_corpus_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "--corpus", "no-such-corpus"]) == 2
    assert "no-such-corpus" in capsys.readouterr().err
