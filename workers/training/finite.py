"""Weights that are NaN or infinite, found before a step is spent on them."""

from collections.abc import Mapping

import torch
from torch import Tensor


def describe_wrong(tensors: Mapping[str, Tensor]) -> str | None:
    """Where values are NaN or infinite, in words; None where all are finite."""
    wrong = {
        name: int(num_wrong)
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and (num_wrong := (~torch.isfinite(tensor)).sum())
    }
    if not wrong:
        return None
    worst = max(wrong, key=lambda name: wrong[name])
    tensors_hit = f"{len(wrong)} tensors; most in {worst}" if len(wrong) > 1 else worst
    return f"values that are NaN or infinite, in {tensors_hit}: {wrong[worst]:,}"
