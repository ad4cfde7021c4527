"""Our batched Muon against torch.optim.Muon, and the iteration against the singular value decomposition."""

import copy

import pytest
import torch

from workers.training.optimizers._muon import BatchedMuon, orthogonalize


@pytest.mark.parametrize("shape", [(3, 24, 40), (2, 40, 24), (1, 32, 32)])
def test_singular_values_come_near_one(shape: tuple[int, int, int]) -> None:
    x = orthogonalize(torch.randn(shape), 5)
    values = torch.linalg.svdvals(x.double())
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_directions_are_kept() -> None:
    g = torch.randn(2, 16, 48, dtype=torch.float64)
    u, _, v = torch.linalg.svd(g, full_matrices=False)
    similarity = (orthogonalize(g, 5) * (u @ v)).sum((1, 2)) / 16
    assert (similarity > 0.7).all()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.02), (torch.float32, 0.05)])
def test_steps_equal_torchs_within_bfloat16(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(torch.seed() % 1000)
    ours = [torch.nn.Parameter(torch.randn(s)) for s in ((24, 48), (48, 24), (24, 48))]
    theirs = copy.deepcopy(ours)
    arguments = {"lr": 0.02, "weight_decay": 0.1, "momentum": 0.95}
    optimizers = (
        BatchedMuon(ours, dtype=dtype, **arguments),
        torch.optim.Muon(theirs, adjust_lr_fn="match_rms_adamw", **arguments),
    )
    before = [p.detach().clone() for p in ours]
    for _ in range(5):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for mine, other, start in zip(ours, theirs, before, strict=True):
        moved = (mine - start).norm()
        assert (mine - other).norm() / moved < tolerance


def test_a_matrix_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="batch of matrices"):
        orthogonalize(torch.randn(3, 3), 5)
