"""Detectors of layers, data and speed: silent on quiet series, loud on a planted fault, and kept in checkpoints."""

import json
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.monitoring.panel import build_detector
from workers.specs.monitoring import (
    ActivationDrift,
    AttentionEntropy,
    ClipSaturation,
    DataStarvation,
    DeadUnits,
    EffectiveRank,
    FeatureSpeed,
    GradientExplosion,
    GradientVanishing,
    MemoryGrowth,
    Plateau,
    RepeatedBatch,
    SourceLoss,
    Straggler,
    ThroughputFall,
    UpdateRatio,
)

NUM = 1300
Values = dict[str, float]
SPECS = {
    spec.kind: spec
    for spec in (
        *(GradientExplosion(), GradientVanishing(), UpdateRatio(), ActivationDrift(), DeadUnits(), AttentionEntropy()),
        *(EffectiveRank(), FeatureSpeed(), Plateau(), ClipSaturation(), SourceLoss(), RepeatedBatch()),
        *(ThroughputFall(), DataStarvation(), MemoryGrowth(), Straggler()),
    )
}


def quiet(seed: int, num: int = NUM) -> list[Values]:
    """Steps of a healthy run, to be changed at will."""
    return [dict(values) for values in healthy(seed, num)]


@cache
def healthy(seed: int, num: int) -> list[Values]:
    """Warm-up and decay, a falling loss, layers measured every ten steps, a probe every 50."""
    random = np.random.default_rng(seed)

    def noise(sigma: float) -> float:
        return math.exp(random.normal(0, sigma))

    steps = []
    for step in range(num):
        lr = 3e-3 * min((step + 1) / 50, 1, max((num - step) / (0.2 * num), 0.01))
        falling = 3 + 4 * math.exp(-step / 300) - 0.4 * step / num
        values = {
            "loss": falling * noise(0.03),
            "scheduled_lr": lr,
            "clipped_share": float(random.random() < 0.6),
            "kept_share": 0.9,
            "batch_fingerprint": float(random.integers(1 << 40)),
            "step_seconds": 0.1 * noise(0.2) * (5 if random.random() < 0.02 else 1),
            "data_wait_seconds": 0.004 * noise(0.5),
            "memory_bytes": 1e9 + 4e8 * (1 - math.exp(-step / 40)),
        }
        values |= {f"own_seconds/rank-{rank}": 0.05 * noise(0.2) for rank in range(3)}
        values["loss/web"] = values["loss"] * noise(0.02)
        if random.random() < 0.4:
            values["loss/code"] = values["loss"] * (0.7 + 0.1 * step / num) * noise(0.15)
        for layer in range(3 if step % 10 == 0 else 0):
            name = f"layers/{layer:02d}"
            values[f"{name}/grad_norm"] = (0.2 + 3 * math.exp(-step / 40)) * noise(0.3)
            values[f"{name}/update_ratio"] = 0.3 * lr * noise(0.1)
            values[f"{name}/activation_rms"] = (0.1 + 2 * (1 - math.exp(-step / 80))) * noise(0.05)
        for layer in range(3 if step % 50 == 0 else 0):
            name = f"layers/{layer:02d}"
            values[f"{name}/dead_units"] = 0.02 + 0.03 * step / num
            values[f"{name}/attention_entropy"] = (0.45 + 0.5 * math.exp(-step / 200)) * noise(0.02)
            values[f"{name}/effective_rank"] = (20 + 30 * math.exp(-step / 150)) * noise(0.03)
            if step:
                values[f"{name}/feature_speed"] = 2 * 50 * lr * noise(0.3)
        steps.append(values)
    return steps


FAULTS: dict[str, Any] = {
    "gradient_explosion": ("/grad_norm", 40.0),
    "gradient_vanishing": ("/grad_norm", 1e-3),
    "update_ratio": ("/update_ratio", 12.0),
    "activation_drift": ("/activation_rms", 8.0),
    "attention_entropy": ("/attention_entropy", 0.2),
    "effective_rank": ("/effective_rank", 0.2),
    "feature_speed": ("/feature_speed", 15.0),
    "dead_units": ("/dead_units", 12.0),
    "clip_saturation": ("kept_share", 0.3),
    "source_loss": ("loss/code", 2.0),
    "throughput_fall": ("step_seconds", 4.0),
    "data_starvation": ("data_wait_seconds", 20.0),
    "straggler": ("own_seconds/rank-1", 2.0),
}
"""Series that a fault multiplies, and by how much."""
STRUCK = 700


def struck(kind: str, seed: int) -> list[Values]:
    steps = quiet(seed)
    for number, values in enumerate(steps[STRUCK:1100]):
        if kind in FAULTS:
            end, factor = FAULTS[kind]
            values |= {name: value * factor for name, value in values.items() if name.endswith(end)}
        if kind == "clip_saturation":
            values["clipped_share"] = 1.0
        if kind == "effective_rank":
            values["loss"] = 4.5
        if kind == "repeated_batch" and number:
            values["batch_fingerprint"] = steps[STRUCK + number % 3]["batch_fingerprint"]
        if kind == "memory_growth":
            values["memory_bytes"] *= 1 + number / 1000
    if kind == "plateau":
        random = np.random.default_rng(seed)
        for values in steps:
            values |= {"loss": 3.0 * math.exp(random.normal(0, 0.003)), "scheduled_lr": 1e-3}
    return steps


def feed(detector: Any, steps: list[Values], start: int = 0) -> list[Any]:
    return [s for step, values in enumerate(steps, start) for s in detector.observe(step, values)]


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("seed", range(2))
def test_a_healthy_run_gives_no_finding(kind: str, seed: int) -> None:
    assert feed(build_detector(SPECS[kind]), quiet(seed)) == []


@pytest.mark.parametrize("kind", SPECS)
def test_a_fault_is_told_soon_and_not_at_every_step(kind: str) -> None:
    found = feed(build_detector(SPECS[kind]), struck(kind, 7))
    first = found[0]
    late = {"memory_growth": 500, "plateau": 400, "clip_saturation": 220, "source_loss": 60}.get(kind, 55)
    assert STRUCK <= first.step <= STRUCK + late, first
    assert len(found) <= 3 and first.detector == kind and first.severity == "warning"
    assert first.onset <= first.step
    told = first.message
    assert told and ("layer" not in first.series or "and so in 2 more layers" in told)


def test_updates_that_change_a_good_part_of_the_weights_are_a_finding_at_once_and_without_any_past() -> None:
    steps = [{"layers/00/update_ratio": 0.8, "scheduled_lr": 1.0}] * 3
    (found,) = feed(build_detector(UpdateRatio()), steps)
    assert (found.detector, found.step) == ("large_update", 0)


def test_a_rate_that_the_controller_lowers_is_no_alarm_and_neither_is_one_that_it_makes_up_for() -> None:
    for factor in (1.0, 50.0):
        detector = build_detector(UpdateRatio())
        for step in range(0, 400, 10):
            lowered = step >= 200
            ratio = 1e-3 / (50 if lowered and factor == 1.0 else 1)
            values = {"layers/00/update_ratio": ratio, "scheduled_lr": 1e-2}
            assert detector.observe(step, values, lr_scale=1 / 50 if lowered else 1.0) == []


def test_a_lower_rank_is_no_alarm_while_the_loss_falls() -> None:
    steps = struck("effective_rank", 3)
    for values in steps[STRUCK:]:
        values["loss"] *= 0.5
    assert feed(build_detector(EffectiveRank()), steps) == []


def test_steps_done_again_after_a_roll_back_are_no_repeated_batches() -> None:
    detector, steps = build_detector(RepeatedBatch()), quiet(4, 60)
    feed(detector, steps)
    detector.rewind(30)
    assert feed(detector, steps[30:], start=30) == []


def test_a_plateau_at_the_end_of_a_decay_is_by_plan() -> None:
    steps = struck("plateau", 5)
    for number, values in enumerate(steps):
        values["scheduled_lr"] = 1e-3 if number < 400 else 1e-4
    assert feed(build_detector(Plateau()), steps) == []


@pytest.mark.parametrize("kind", SPECS)
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2),
    cut=st.integers(0, 250),
    back=st.integers(0, 60),
    odd=st.sampled_from([1.0, 1e-6, 1e6, math.nan, math.inf, 0.0]),
)
def test_saved_anywhere_it_goes_on_as_if_it_had_never_been_away(
    kind: str, seed: int, cut: int, back: int, odd: float
) -> None:
    fields = type(SPECS[kind]).model_fields
    small = {name: value for name, value in {"window_steps": 40, "min_steps": 8}.items() if name in fields}
    spec = type(SPECS[kind])(**small)
    steps = quiet(seed, 300)
    for values in steps[150:220]:
        values |= {name: value * odd for name, value in values.items() if name != "scheduled_lr"}
    lasting, stored = build_detector(spec), build_detector(spec)
    assert repr(feed(lasting, steps[:cut])) == repr(feed(stored, steps[:cut]))
    text = json.dumps(stored.state_dict(), allow_nan=False)
    stored = build_detector(spec)
    stored.load_state_dict(json.loads(text))
    for detector in (lasting, stored):
        detector.rewind(max(cut - back, 0))
    rest = steps[max(cut - back, 0) :]
    assert repr(feed(lasting, rest, cut - back)) == repr(feed(stored, rest, cut - back))
    json.dumps(lasting.state_dict(), allow_nan=False)
