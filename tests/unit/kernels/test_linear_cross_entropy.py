"""Chunked cross-entropy of the output layer against float64 with all logits at once."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.kernels import linear_cross_entropy as kernel


@given(
    places=st.integers(1, 300),
    width=st.integers(1, 40),
    vocabulary=st.integers(2, 200),
    ignored=st.floats(0, 1),
    z_weight=st.sampled_from([0.0, 1e-4, 0.1]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_sum_places_and_gradients_equal_float64(
    places: int, width: int, vocabulary: int, ignored: float, z_weight: float, seed: int
) -> None:
    torch.manual_seed(seed)
    hidden, weight = torch.randn(places, width), torch.randn(vocabulary, width)
    targets = torch.randint(vocabulary, (places,)).masked_fill(torch.rand(places) < ignored, -100)
    upstream = float(torch.rand(()) * 3)
    results = []
    for function, dtype in (
        (kernel.linear_cross_entropy, torch.float32),
        (kernel.linear_cross_entropy_reference, torch.float64),
    ):
        h, w = hidden.to(dtype, copy=True).requires_grad_(), weight.to(dtype, copy=True).requires_grad_()
        total, each = function(h, w, targets, -100, z_weight)
        (upstream * total).backward()
        assert not each.requires_grad
        results.append([x.detach().double() for x in (total, each, h.grad, w.grad)])
    for ours, exact in zip(*results, strict=True):
        torch.testing.assert_close(ours, exact, atol=1e-4, rtol=2e-4)


def test_chunks_do_not_change_the_result_and_bound_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    hidden, weight = torch.randn(1000, 16, requires_grad=True), torch.randn(50, 16, requires_grad=True)
    targets = torch.randint(50, (1000,))
    whole = torch.autograd.grad(kernel.linear_cross_entropy(hidden, weight, targets)[0], (hidden, weight))
    monkeypatch.setattr(kernel, "CHUNK_LOGITS", 50 * 128)
    largest = []
    linear = torch.nn.functional.linear

    def watched(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        largest.append(len(x))
        return linear(x, w)

    monkeypatch.setattr(kernel.functional, "linear", watched)
    parts = torch.autograd.grad(kernel.linear_cross_entropy(hidden, weight, targets)[0], (hidden, weight))
    assert max(largest) == 128 and sum(largest) == 1000
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)


def test_under_autocast_it_is_as_near_as_plain_bfloat16() -> None:
    torch.manual_seed(2)
    hidden, weight = torch.randn(40, 32), torch.randn(60, 32)
    targets = torch.randint(60, (40,))
    exact = kernel.linear_cross_entropy_reference(hidden.double(), weight.double(), targets)[0]
    grads = []
    for function in (kernel.linear_cross_entropy, kernel.linear_cross_entropy_reference):
        h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            total, _ = function(h, w, targets)
        total.backward()
        assert h.grad.dtype == w.grad.dtype == torch.float32
        assert float(total.detach()) == pytest.approx(float(exact), rel=5e-3)
        grads.append(w.grad)
    torch.testing.assert_close(*grads, atol=0.1, rtol=0.05)
