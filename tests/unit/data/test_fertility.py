"""Balance of languages in the tokenizer's training, and how it cuts their words."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.data.balance import byte_budgets
from workers.data.fertility import measure_fertility
from workers.data.tokenizer import train_tokenizer


def test_equal_weights_take_what_the_smallest_has() -> None:
    assert byte_budgets({"en": 1000, "fr": 400, "pt": 300}, 10_000) == {"en": 300, "fr": 300, "pt": 300}
    assert byte_budgets({"en": 1000, "fr": 400}, 200) == {"en": 200, "fr": 200}
    assert byte_budgets({"en": 1000, "pt": 3}, 10_000) == {"en": 100, "pt": 100}  # a crumb does not set the measure


def test_weights_share_out_and_leave_out() -> None:
    sizes = {"en": 9000, "fr": 9000, "de": 9000}
    assert byte_budgets(sizes, 100_000, {"en": 3.0, "de": 0.0}) == {"en": 9000, "fr": 3000, "de": 0}
    with pytest.raises(ValueError, match=r"language_weights leave no language.*de, en, fr"):
        byte_budgets(sizes, 100, dict.fromkeys(sizes, 0.0))


@given(
    st.dictionaries(st.sampled_from(["en", "fr", "de", "it"]), st.integers(1, 10**9), min_size=1),
    st.integers(1000, 10**8),
    st.dictionaries(st.sampled_from(["en", "fr", "de"]), st.floats(0.01, 100)),
)
def test_budgets_are_in_proportion(sizes: dict[str, int], most: int, weights: dict[str, float]) -> None:
    budgets = byte_budgets(sizes, most, weights)
    units = [budgets[language] / weights.get(language, 1.0) for language in sizes]
    assert max(units) <= most
    assert max(units) - min(units) <= 1 / min(weights.get(language, 1.0) for language in sizes) + 1e-6 * most


def words(seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("abcdefghijklmnop", k=6)) for _ in range(60)]


def test_a_language_the_tokenizer_was_trained_on_is_cut_less() -> None:
    known, foreign = words(1), words(2)
    rng = random.Random(0)
    tokenizer = train_tokenizer((" ".join(rng.choices(known, k=100)) for _ in range(50)), 700)
    texts = [("aa", " ".join(rng.choices(known, k=200))), ("bb", " ".join(rng.choices(foreign, k=200)))]
    found = measure_fertility(tokenizer, texts)
    assert found["aa"]["words"] == found["bb"]["words"] == 200
    assert found["aa"]["split_word_share"] < 0.1 < 0.9 < found["bb"]["split_word_share"]
    assert found["aa"]["tokens_per_word"] == pytest.approx(len(tokenizer.encode(texts[0][1])) / 200, abs=1e-4)
    size = len(texts[1][1].encode())
    assert found["bb"]["bytes_per_token"] == pytest.approx(size / len(tokenizer.encode(texts[1][1])), abs=1e-4)


def test_blanks_punctuation_and_letters_of_several_bytes() -> None:
    tokenizer = train_tokenizer(iter(["the mill the mill the mill"] * 10), 300)
    cut = measure_fertility(tokenizer, [("en", " the  mill, (the) é mill")])["en"]
    assert (cut["words"], cut["split_word_share"]) == (5, 0.2)  # `é` alone: two bytes that were never merged
    assert measure_fertility(tokenizer, [("en", "--- !")])["en"] == {"words": 0}
    assert measure_fertility(tokenizer, []) == {}


def test_only_the_beginning_of_a_language_is_looked_at() -> None:
    tokenizer = train_tokenizer(iter(["a b c"] * 10), 300)
    found = measure_fertility(tokenizer, [("en", "a b c a b c")] * 10, max_chars_per_language=16)
    assert found["en"]["words"] == 6 + 3
