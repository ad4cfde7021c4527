"""Learning-rate curves, value by value."""

import pytest

from workers.specs.training.schedules import Cosine, Wsd
from workers.training.schedules import factor

WSD = [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
COSINE = [0.5, 1, 1, 0.965746, 0.868198, 0.722208, 0.55, 0.377792, 0.231802, 0.134254]


def test_wsd() -> None:
    spec = Wsd(warmup_steps=4, decay_share=0.2)
    assert [factor(step, 20, spec) for step in range(20)] == pytest.approx(WSD)


def test_wsd_without_decay_stays_up() -> None:
    assert [factor(step, 5, Wsd(warmup_steps=0, decay_share=0)) for step in range(5)] == [1] * 5


def test_wsd_that_only_decays() -> None:
    curve = [factor(step, 5, Wsd(warmup_steps=0, decay_share=1)) for step in range(5)]
    assert curve == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])


def test_cosine() -> None:
    spec = Cosine(warmup_steps=2, min_factor=0.1)
    curve = [factor(step, 10, spec) for step in range(10)]
    assert curve == pytest.approx(COSINE, abs=1e-6)


def test_cosine_ends_at_its_floor() -> None:
    assert factor(10_000, 10_000, Cosine(warmup_steps=10, min_factor=0.3)) == pytest.approx(0.3)
    assert factor(5_005, 10_000, Cosine(warmup_steps=10, min_factor=0.0)) == pytest.approx(0.5)
