"""Intervals cover what they claim to."""

import numpy as np
import pytest

from workers.evaluation.bootstrap import ratio_interval


def test_a_95_percent_interval_covers_the_truth_about_95_times_in_100():
    random = np.random.default_rng(1)
    covered = 0
    for trial in range(300):
        correct = random.random(120) < 0.3
        _, low, high = ratio_interval(correct, np.ones(120), num_resamples=400, seed=trial)
        covered += low <= 0.3 <= high
    assert 0.89 <= covered / 300 <= 0.985


def test_value_is_the_ratio_of_sums_and_lies_in_its_interval():
    value, low, high = ratio_interval([1.0, 30.0], [10.0, 20.0], num_resamples=1000, seed=0)
    assert value == pytest.approx(31 / 30)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(1.5))


def test_blocks_do_not_change_the_shape_and_seeds_repeat():
    items = np.arange(20_000) % 2
    first = ratio_interval(items, np.ones(20_000), num_resamples=1200, seed=3)
    assert first == ratio_interval(items, np.ones(20_000), num_resamples=1200, seed=3)
    assert 0.49 < first[1] < first[0] < first[2] < 0.51


def test_no_item_is_an_error():
    with pytest.raises(ValueError, match="at least one item"):
        ratio_interval([], [], num_resamples=100, seed=0)
