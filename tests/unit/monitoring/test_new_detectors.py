"""Odd batches, slow divergence and attention logits: seen when they come, silent else, and kept in checkpoints."""

import json

import numpy as np
import pytest

from workers.monitoring.panel import build_detector
from workers.specs.monitoring import AttentionLogits, Divergence, OddBatch

SPECS = {"batch_divergence": OddBatch(), "loss": Divergence(), "max_attention_logit": AttentionLogits()}
LEVELS = {"batch_divergence": 0.7, "loss": 4.0, "max_attention_logit": 12.0}


def noisy(series, seed, num, factor=1.0):
    return factor * LEVELS[series] * np.exp(np.random.default_rng(seed).normal(0, 0.06, num))


def feed(detector, series, values, start=0):
    return [s for i, v in enumerate(values) for s in detector.observe(start + i, {series: float(v)})]


@pytest.mark.parametrize("series", SPECS)
@pytest.mark.parametrize("seed", range(3))
def test_a_quiet_series_gives_no_finding(series, seed):
    falling = noisy(series, seed, 3000) * (1 + np.exp(-np.arange(3000) / 300))
    assert feed(build_detector(SPECS[series]), series, falling) == []


def test_the_first_odd_batch_is_seen_and_does_not_become_the_new_normal():
    detector = build_detector(OddBatch())
    assert feed(detector, "batch_divergence", noisy("batch_divergence", 1, 100)) == []
    found = feed(detector, "batch_divergence", [3.0] * 20, start=100)
    assert [(s.step, s.onset) for s in found] == [(step, step) for step in range(100, 120)]
    assert feed(detector, "batch_divergence", noisy("batch_divergence", 2, 50), start=120) == []


def test_another_language_is_told_when_it_lasts() -> None:
    detector = build_detector(OddBatch())
    feed(detector, "batch_divergence", noisy("batch_divergence", 21, 100))
    known = [v for _, v in detector._past]
    one_sigma = max(1.4826 * float(np.median(np.abs(np.array(known) - np.median(known)))), 0.02)
    foreign = float(np.median(known)) + 8 * one_sigma
    assert feed(detector, "batch_divergence", [foreign] * 3, start=100) == []
    assert feed(detector, "batch_divergence", [0.7], start=103) == []
    found = feed(detector, "batch_divergence", [foreign] * 6, start=104)
    assert [(s.step, s.onset) for s in found] == [(step, step) for step in (107, 108, 109)]


def test_other_data_for_good_are_accepted_in_the_end():
    detector = build_detector(OddBatch())
    feed(detector, "batch_divergence", noisy("batch_divergence", 3, 100))
    found = feed(detector, "batch_divergence", noisy("batch_divergence", 4, 400, factor=4), start=100)
    assert 0 < len(found) <= 64


def test_a_slow_rise_of_the_loss_is_told_once_with_its_onset():
    detector = build_detector(Divergence())
    assert feed(detector, "loss", noisy("loss", 5, 200)) == []
    rising = noisy("loss", 6, 80) * (1 + 0.005 * np.arange(80))
    (found,) = feed(detector, "loss", rising, start=200)
    assert found.onset < found.step < 260 and found.step - found.onset <= 2 * Divergence().window_steps


def test_a_short_spike_is_no_divergence():
    detector = build_detector(Divergence())
    values = noisy("loss", 7, 400)
    values[200:208] *= 3
    assert feed(detector, "loss", values) == []


def test_growing_attention_logits_are_told_once_an_episode():
    detector = build_detector(AttentionLogits())
    assert feed(detector, "max_attention_logit", noisy("max_attention_logit", 8, 20)) == []
    (found,) = feed(detector, "max_attention_logit", [14, 20, 30, 50, 80, 120], start=20)
    assert found.step == 23 and found.onset == 23 and found.baseline == pytest.approx(12, rel=0.1)
    assert feed(detector, "max_attention_logit", [12, 90], start=26)


def test_huge_logits_need_no_past():
    assert feed(build_detector(AttentionLogits()), "max_attention_logit", [2e4])


@pytest.mark.parametrize("series", SPECS)
def test_state_survives_strict_json(series):
    first, second = build_detector(SPECS[series]), build_detector(SPECS[series])
    feed(first, series, noisy(series, 9, 120))
    second.load_state_dict(json.loads(json.dumps(first.state_dict(), allow_nan=False)))
    values = noisy(series, 10, 60, factor=6)
    assert feed(first, series, values, start=120) == feed(second, series, values, start=120) != []


def test_rewind_forgets_what_came_after():
    ahead, behind = build_detector(OddBatch()), build_detector(OddBatch())
    values = noisy("batch_divergence", 11, 90)
    feed(ahead, "batch_divergence", values)
    ahead.rewind(60)
    feed(behind, "batch_divergence", values[:60])
    assert ahead.state_dict() == behind.state_dict()


@pytest.mark.parametrize("series", ["loss", "max_attention_logit"])
def test_an_episode_is_told_again_after_a_roll_back(series):
    detector = build_detector(SPECS[series])
    feed(detector, series, noisy(series, 12, 60))
    for _ in range(2):
        assert len(feed(detector, series, noisy(series, 13, 40, factor=6), start=60)) == 1
        detector.rewind(60)
