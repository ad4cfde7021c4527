"""Counting baselines against a plain, slow count."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.training.baselines import PRIOR_WEIGHTS, count_losses

VOCAB = 7
PAIRS = st.lists(st.tuples(st.integers(0, VOCAB - 1), st.integers(0, VOCAB - 1)), min_size=1, max_size=60)


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(pairs, dtype=np.int64)
    return array[:, 0], array[:, 1]


@given(training=PAIRS, heldout=PAIRS)
@settings(max_examples=50, deadline=None)
def test_losses_equal_a_direct_count(training: list[tuple[int, int]], heldout: list[tuple[int, int]]) -> None:
    half = len(training) // 2
    pieces = [columns(piece) for piece in (training[:half], training[half:]) if piece]
    found = count_losses(pieces, columns(heldout), VOCAB)
    tokens, contexts, pairs = Counter(b for _, b in training), Counter(a for a, _ in training), Counter(training)
    p_one = {b: (tokens[b] + 1) / (len(training) + VOCAB) for b in range(VOCAB)}
    unigram = -sum(math.log(p_one[b]) for _, b in heldout) / len(heldout)
    bigram = min(
        -sum(math.log((pairs[a, b] + k * p_one[b]) / (contexts[a] + k)) for a, b in heldout) / len(heldout)
        for k in PRIOR_WEIGHTS
    )
    assert found == pytest.approx((unigram, bigram))


def test_the_bigram_is_a_distribution_and_knows_a_deterministic_language() -> None:
    contexts = np.arange(20_000) % 50
    unigram, bigram = count_losses([(contexts, (contexts + 1) % 50)], (contexts, (contexts + 1) % 50), 50)
    assert unigram == pytest.approx(math.log(50), abs=0.01)
    assert bigram < 0.01


def test_random_text_has_no_bigram_to_find() -> None:
    rng = np.random.default_rng(0)
    training, heldout = rng.integers(0, 64, (2, 50_000)), rng.integers(0, 64, (2, 5_000))
    unigram, bigram = count_losses([(training[0], training[1])], (heldout[0], heldout[1]), 64)
    assert bigram == pytest.approx(unigram, abs=0.02)
