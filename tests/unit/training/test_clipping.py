"""What each kind of clipping leaves of a gradient, against float64 references, and that its memory survives."""

import json
import math

import pytest
import torch
from torch import Tensor

from workers.specs.training.clipping import AdaGC, Clipping, GlobalNorm, PerTensor, Value, ZClip
from workers.training.clipping import build_clipper

KINDS: list[Clipping] = [GlobalNorm(), PerTensor(), Value(), AdaGC(warmup_steps=3), ZClip(warmup_steps=3)]


def gradient(seed: int, size: float = 1.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [size * torch.randn(shape, generator=generator) for shape in ((4, 6), (5,), (3, 2))]


def joint(grads: list[Tensor]) -> float:
    return math.sqrt(sum(float(g.double().square().sum()) for g in grads))


def clip(clipper: object, grads: list[Tensor], scale: float = 1.0) -> object:
    return clipper.clip(grads, joint(grads), scale)


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: spec.kind)
def test_the_norm_told_is_the_norm_left(spec: Clipping) -> None:
    clipper = build_clipper(spec)
    for seed in range(12):
        grads = gradient(seed, size=0.05 * 3**seed)
        before = [g.clone() for g in grads]
        clipped = clip(clipper, grads)
        assert clipped.norm == pytest.approx(joint(grads), rel=1e-5)
        changed = sum(not torch.equal(g, b) for g, b in zip(grads, before, strict=True))
        assert clipped.share == pytest.approx(changed / len(grads))


def test_global_norm_keeps_the_direction() -> None:
    grads = gradient(1, size=10)
    whole = torch.cat([g.flatten() for g in grads])
    clip(build_clipper(GlobalNorm(max_norm=0.5)), grads)
    after = torch.cat([g.flatten() for g in grads])
    torch.testing.assert_close(after, whole * 0.5 / whole.norm())


def test_per_tensor_leaves_small_tensors_alone() -> None:
    grads = gradient(2)
    grads[1] *= 1e-3
    small = grads[1].clone()
    assert clip(build_clipper(PerTensor(max_norm=0.25)), grads).share == pytest.approx(2 / 3)
    assert [round(float(g.norm()), 5) for g in grads[::2]] == [0.25, 0.25]
    assert torch.equal(grads[1], small)


def test_value_bounds_each_entry_and_scale_tightens_it() -> None:
    grads = gradient(3, size=5)
    expected = [g.clamp(-1, 1) for g in grads]
    clip(build_clipper(Value(max_value=2)), grads, scale=0.5)
    for got, want in zip(grads, expected, strict=True):
        assert torch.equal(got, want)


def test_adagc_follows_its_algorithm() -> None:
    spec = AdaGC(relative=1.05, beta=0.9, warmup_steps=2, max_norm=1.0)
    clipper = build_clipper(spec)
    gammas: list[float] = []
    for step in range(8):
        grads = gradient(step, size=0.1 if step != 5 else 30)
        norms = [float(g.double().norm()) for g in grads]
        clip(clipper, grads)
        if step < 2:
            factor = min(1.0 / math.hypot(*norms), 1.0)
            after = [n * factor for n in norms]
            gammas = [min(g, a) for g, a in zip(gammas or after, after, strict=True)]
        else:
            after = [min(n, 1.05 * g) for n, g in zip(norms, gammas, strict=True)]
            gammas = [0.9 * g + 0.1 * a for g, a in zip(gammas, after, strict=True)]
        assert [float(g.norm()) for g in grads] == pytest.approx(after, rel=1e-5)


def test_zclip_clips_the_outlier_harder_the_further_out() -> None:
    norms = [0.50, 0.52, 0.48, 0.51, 0.49]
    left = []
    for outlier in (0.6, 0.9, 40.0):
        clipper = build_clipper(ZClip(warmup_steps=5, max_norm=1.0))
        for norm in norms:
            assert clipper.clip([torch.tensor([norm])], norm, 1.0).norm == norm
        left.append(clipper.clip([torch.tensor([outlier])], outlier, 1.0).norm)
    mean, deviation = 0.5, (2e-4) ** 0.5
    z = [(x - mean) / (deviation + 1e-6) for x in (0.6, 0.9, 40.0)]
    assert left == pytest.approx([mean + 2.5 * deviation * 2.5 / each for each in z])
    assert left[0] > left[1] > left[2] > mean


def test_zclip_is_capped_also_in_its_warm_up() -> None:
    clipper = build_clipper(ZClip(max_norm=1.0))
    assert clip(clipper, gradient(4, size=100)).norm == 1.0
    assert clip(clipper, gradient(4, size=100), scale=0.25).norm == 0.25


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: spec.kind)
def test_memory_travels_through_json(spec: Clipping) -> None:
    one, two = build_clipper(spec), build_clipper(spec)
    for seed in range(6):
        clip(one, gradient(seed, size=0.3))
    two.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for seed in range(6, 12):
        left, right = gradient(seed, size=2), gradient(seed, size=2)
        assert clip(one, left) == clip(two, right)
        assert all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
