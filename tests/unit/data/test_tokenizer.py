"""The tokenizer: lossless on any text, the same on every run, and not to be fooled by quoted special tokens."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.data.tokenizer import END, SPECIAL_TOKENS, Tokenizer, train_tokenizer


def corpus() -> list[str]:
    rng = random.Random(0)
    stems = ["".join(rng.choices("abcdefgh", k=rng.randrange(2, 8))) for _ in range(500)]
    return [" ".join(rng.choices([*stems, "Straße", "água", "l'été", "123"], k=200)) for _ in range(30)]


TOKENIZER = train_tokenizer(iter(corpus()), 600)


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    encodable = text.encode("utf-8", "replace").decode("utf-8")
    assert TOKENIZER.decode(TOKENIZER.encode(encodable)) == encodable


def test_words_of_the_corpus_become_short() -> None:
    text = corpus()[0]
    assert TOKENIZER.vocab_size == 600
    assert len(TOKENIZER.encode(text)) < 0.6 * len(text.encode())


def test_special_tokens_come_first_and_quoted_ones_are_text() -> None:
    assert [TOKENIZER.id_of(token) for token in SPECIAL_TOKENS] == [0, 1, 2, 3]
    for ids in (TOKENIZER.encode(f"a {END} b"), TOKENIZER.encode_batch([f"a {END} b"])[0]):
        assert TOKENIZER.eos_token_id not in ids
        assert TOKENIZER.decode(ids) == f"a {END} b"


def test_digits_stand_alone() -> None:
    assert len(TOKENIZER.encode("123123")) == 6


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.encode("Straße 12 <|endoftext|>") == TOKENIZER.encode("Straße 12 <|endoftext|>")
    with pytest.raises(FileNotFoundError, match="no tokenizer at"):
        Tokenizer.load(tmp_path / "missing.json")


def test_a_vocabulary_too_small_for_the_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 260 tokens"):
        train_tokenizer(iter(["x"]), 100)


def test_training_is_the_same_in_another_process_on_other_threads(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import test_tokenizer as t;"
        "t.TOKENIZER.save(Path(sys.argv[2]))"
    )
    TOKENIZER.save(tmp_path / "here.json")
    for threads in ("1", "3"):
        there = tmp_path / f"{threads}.json"
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent), str(there)],
            check=True,
            timeout=120,
            cwd=Path(__file__).parents[3],
            env=os.environ | {"RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
        )
        assert there.read_bytes() == (tmp_path / "here.json").read_bytes()
