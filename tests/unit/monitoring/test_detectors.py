"""Quiet runs raise no alarm; true spikes are seen within the patience, and do not become the new normal."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.monitoring.detectors._shared import robust_z
from workers.monitoring.detectors.non_finite import NonFiniteDetector
from workers.monitoring.detectors.spike import SpikeDetector
from workers.specs.monitoring import NonFinite, Spike


def feed(detector, values, series="loss", start=0):
    return [s for i, v in enumerate(values) for s in detector.observe(start + i, {series: float(v)})]


def noisy(seed, num, level=3.0, sigma=0.05):
    return level * np.exp(np.random.default_rng(seed).normal(0, sigma, num))


@pytest.mark.parametrize("seed", range(6))
def test_quiet_runs_of_3000_steps_give_no_finding(quiet, seed):
    detector = SpikeDetector(Spike())
    for t in quiet(seed):
        assert not detector.observe(t.step, {"loss": t.loss, "grad_norm": t.grad_norm, "update_norm": t.update_norm})


@pytest.mark.parametrize("patience", [1, 2, 5])
@pytest.mark.parametrize("series", ["loss", "grad_norm", "update_norm"])
def test_a_spike_is_found_in_patience_steps(series, patience):
    detector = SpikeDetector(Spike(patience_steps=patience))
    assert not feed(detector, noisy(1, 100), series)
    found = feed(detector, noisy(2, 10, level=60), series, start=100)
    assert [(s.step, s.onset, s.series) for s in found] == [(100 + patience - 1, 100, series)]
    assert found[0].z > found[0].threshold == 8.0
    assert found[0].baseline == pytest.approx(3.0, rel=0.1)


def test_the_weights_jump_once_and_are_told_at_once():
    """Norms of weights move by a few percent a step at most; a flipped bit of an exponent multiplies them."""
    detector = SpikeDetector(Spike())
    grows = [12.0] * 60 + [12 * 1.1**t for t in range(40)]  # as when queries and keys grow: others look after that
    assert not feed(detector, grows, "weight_norm")
    (found,) = feed(detector, [grows[-1] * 1.5], "weight_norm", start=100)
    assert (found.step, found.onset) == (100, 100)
    (found,) = feed(NonFiniteDetector(NonFinite()), [math.inf], "weight_norm")
    assert found.series == "weight_norm"


def test_an_almost_constant_series_needs_a_real_jump():
    """Muon's update norm hardly varies: without a floor on the MAD a change of 1 % would be an alarm."""
    detector = SpikeDetector(Spike())
    assert not feed(detector, noisy(3, 200, level=1.0, sigma=1e-5), "update_norm")
    assert not feed(detector, [1.01, 1.05, 1.2, 1.5], "update_norm", start=200)
    assert feed(detector, [50.0, 50.0], "update_norm", start=204)


def test_a_jump_in_the_middle_of_warm_up_is_seen():
    """The window is wide there because the series climbs; the detrended score must not be."""
    detector = SpikeDetector(Spike())
    ramp = [0.01 * (t + 1) * math.exp(x) for t, x in enumerate(np.random.default_rng(4).normal(0, 0.03, 60))]
    assert not feed(detector, ramp, "update_norm")
    assert feed(detector, [0.6 * 50] * 2, "update_norm", start=60)


def test_a_slow_explosion_is_seen():
    detector = SpikeDetector(Spike())
    assert not feed(detector, noisy(5, 150))
    assert feed(detector, [3.0 * 1.03**t for t in range(60)], start=150)


def test_nothing_is_judged_before_min_steps():
    detector = SpikeDetector(Spike(min_steps=48))
    assert not feed(detector, [*noisy(6, 40), *[500.0] * 5])


def test_outliers_do_not_raise_the_level():
    detector = SpikeDetector(Spike(patience_steps=3))
    assert not feed(detector, noisy(7, 100))
    values = np.array([v for chunk in noisy(8, 100).reshape(-1, 2) for v in (*chunk, 90.0)])
    assert not feed(detector, values, start=100)
    assert feed(detector, [9.0] * 3, start=300)


def test_a_lasting_new_level_is_accepted_once():
    detector = SpikeDetector(Spike())
    assert not feed(detector, noisy(9, 150))
    assert len(feed(detector, noisy(10, 400, level=30.0), start=150)) == 1


def test_rewind_forgets_what_came_after():
    ahead, behind = SpikeDetector(Spike()), SpikeDetector(Spike())
    values = noisy(11, 100)
    feed(ahead, values)
    feed(ahead, [80.0], start=100)
    ahead.rewind(70)
    feed(behind, values[:70])
    assert ahead.state_dict() == behind.state_dict()
    assert ahead.pending() == []


def test_state_survives_strict_json():
    detector = SpikeDetector(Spike(patience_steps=4))
    feed(detector, noisy(12, 90))
    feed(detector, [math.inf, math.nan, 70.0], start=90)
    other = SpikeDetector(Spike(patience_steps=4))
    other.load_state_dict(json.loads(json.dumps(detector.state_dict(), allow_nan=False)))
    assert other.pending() == [(90, "loss")]
    assert feed(other, [70.0], start=93) == feed(detector, [70.0], start=93) != []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_speaks_at_once(value):
    found = NonFiniteDetector(NonFinite()).observe(3, {"loss": 2.0, "grad_norm": value})
    assert [(s.series, s.onset, s.severity) for s in found] == [("grad_norm", 3, "critical")]


def test_a_lower_rate_of_our_own_does_not_lower_the_level():
    """After a roll-back the steps before the fault are done again at a fraction of the rate."""
    detector = SpikeDetector(Spike())
    assert not feed(detector, noisy(13, 100), "update_norm")
    for step, value in enumerate(noisy(14, 20, level=3 / 64), start=100):
        assert not detector.observe(step, {"update_norm": float(value)}, lr_scale=1 / 64)
    for step, value in enumerate(noisy(15, 200, level=3 * 50 / 64), start=120):
        assert not detector.observe(step, {"update_norm": float(value)}, lr_scale=1 / 64)
    assert detector.observe(320, {"update_norm": 60.0}, 1 / 64) or detector.observe(321, {"update_norm": 60.0}, 1 / 64)


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=40), st.floats(-9, 9), st.floats(0.01, 1.0), st.floats(0.0, 10.0)
)
def test_a_score_that_is_high_enough_is_exact_and_no_other_becomes_so(past, value, floor, enough):
    centre = float(np.median(past))
    sigma = max(1.4826 * float(np.median(np.abs(np.array(past) - centre))), floor)
    exact, found = (value - centre) / sigma, robust_z(value, past, floor, enough)
    assert robust_z(value, past, floor) == pytest.approx(exact, abs=1e-9)
    assert (found > enough) == (robust_z(value, past, floor) > enough)
    if found > enough:
        assert found == pytest.approx(exact, abs=1e-9)
