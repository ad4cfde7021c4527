"""SPAM against a float64 reference written from the paper's algorithm."""

import math

import numpy as np
import pytest
import torch

from workers.specs.training.optimizers import Spam
from workers.training.optimizers import build_optimizer

SPEC = Spam(lr=0.01, weight_decay=0.0, threshold=30, reset_steps=12, rewarm_steps=5)


class One(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(-1, 1, 7))


def reference(weights: np.ndarray, gradients: list[np.ndarray], spec: Spam) -> list[np.ndarray]:
    """Weights after each step."""
    w, m, v, t, resets, path = weights.astype(np.float64), 0.0, 0.0, 0, 0, []
    m, v = np.zeros_like(w), np.zeros_like(w)
    for raw in gradients:
        if t == spec.reset_steps:
            m, v, t, resets = np.zeros_like(w), np.zeros_like(w), 0, resets + 1
        spike = (v > 0) & (raw**2 > spec.threshold * v)
        g = np.where(spike, np.sign(raw) * np.sqrt(spec.threshold * v), raw)
        t += 1
        m = spec.beta1 * m + (1 - spec.beta1) * g
        v = spec.beta2 * v + (1 - spec.beta2) * g**2
        warmth = (1 - math.cos(math.pi * min(t / spec.rewarm_steps, 1))) / 2 if resets else 1.0
        step = (m / (1 - spec.beta1**t)) / (np.sqrt(v / (1 - spec.beta2**t)) + spec.eps)
        w = w - spec.lr * warmth * step
        path.append(w.copy())
    return path


def test_spikes_are_cut_and_moments_forgotten() -> None:
    rng = np.random.default_rng()
    gradients = [rng.normal(size=7) for _ in range(30)]
    gradients[6][2] = 1e4
    gradients[20][:3] = -1e5
    model = One()
    optimizer = build_optimizer(SPEC, model)
    want = reference(model.weight.detach().numpy(), gradients, SPEC)
    for g, w in zip(gradients, want, strict=True):
        model.weight.grad = torch.tensor(g, dtype=torch.float32)
        optimizer.set_lr(SPEC.lr)
        optimizer.step()
        np.testing.assert_allclose(model.weight.detach().numpy(), w, rtol=2e-4, atol=2e-5)


def test_state_continues_exactly_across_a_reset() -> None:
    one, two = One(), One()
    first, second = build_optimizer(SPEC, one), build_optimizer(SPEC, two)
    generator = torch.Generator().manual_seed(5)
    gradients = [torch.randn(7, generator=generator) for _ in range(20)]
    for g in gradients[:14]:
        one.weight.grad = g.clone()
        first.step()
    two.load_state_dict(one.state_dict())
    second.load_state_tensors(first.state_tensors())
    for g in gradients[14:]:
        for model, optimizer in ((one, first), (two, second)):
            model.weight.grad = g.clone()
            optimizer.step()
    assert torch.equal(one.weight, two.weight)


def test_a_threshold_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than 1"):
        Spam(threshold=0.5)
