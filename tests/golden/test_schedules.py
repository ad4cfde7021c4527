"""Learning-rate curves, value by value."""

import pytest

from workers.specs.training.schedules import Cosine, InverseSqrt, Linear, Piecewise, Point, Wsd
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


def test_linear() -> None:
    curve = [factor(step, 10, Linear(warmup_steps=2, min_factor=0.2)) for step in range(10)]
    assert curve == pytest.approx([0.5, 1, 1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])


def test_inverse_sqrt() -> None:
    curve = [factor(step, 9, InverseSqrt(warmup_steps=4)) for step in range(9)]
    assert curve == pytest.approx([0.25, 0.5, 0.75, 1, 0.894427, 0.816497, 0.755929, 0.707107, 0.666667], abs=1e-6)
    late = InverseSqrt(warmup_steps=0, timescale_steps=300)
    assert factor(899, 10, late) == pytest.approx(0.5)


def test_piecewise() -> None:
    points = [Point(share=0.25, factor=0.5), Point(share=0.5, factor=2), Point(share=1, factor=0)]
    curve = [factor(step, 9, Piecewise(points=points)) for step in range(9)]
    assert curve == pytest.approx([0.5, 0.5, 0.5, 1.25, 2, 1.5, 1, 0.5, 0])


def test_piecewise_stays_at_its_last_point() -> None:
    points = [Point(share=0, factor=1), Point(share=0.5, factor=0.3)]
    assert [factor(step, 5, Piecewise(points=points)) for step in (3, 4)] == [0.3, 0.3]


@pytest.mark.parametrize(
    ("shape", "decay"),
    [
        ("linear", [1, 0.75, 0.5, 0.25]),
        ("cosine", [1, 0.853553, 0.5, 0.146447]),
        ("one_minus_sqrt", [1, 0.5, 0.292893, 0.133975]),
    ],
)
def test_wsd_decay_shapes(shape: str, decay: list[float]) -> None:
    spec = Wsd.model_validate({"warmup_steps": 2, "decay_share": 0.4, "decay_shape": shape})
    curve = [factor(step, 10, spec) for step in range(10)]
    assert curve == pytest.approx([0.5, 1, 1, 1, 1, 1, *decay], abs=1e-6)


def test_points_must_ascend() -> None:
    with pytest.raises(ValueError, match="must ascend"):
        Piecewise(points=[Point(share=0.5, factor=1), Point(share=0.5, factor=0)])
