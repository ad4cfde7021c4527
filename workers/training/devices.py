"""Where and how exactly the arithmetic runs: device, type of the matrix products, determinism."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch

from workers.model.capabilities import has_fast_bfloat16
from workers.specs.training import TrainingSpec

ComputeType = Literal["bfloat16", "float32"]


def resolve_dtype(spec: TrainingSpec, device: torch.device) -> ComputeType:
    """The type that `dtype: auto` means on this device; any other setting as it is."""
    if spec.dtype == "auto":
        return "bfloat16" if has_fast_bfloat16(device) else "float32"
    return spec.dtype


def autocast(dtype: ComputeType, device: torch.device) -> AbstractContextManager[object]:
    """Context in which matrix products run in `dtype`; weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16) if dtype == "bfloat16" else nullcontext()


@contextmanager
def determinism(enabled: bool) -> Iterator[None]:
    """Deterministic algorithms while inside; the earlier settings come back after."""
    before = torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    if enabled:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS refuses without it
        torch.use_deterministic_algorithms(True)
        # Nothing here reads memory it has not written; filling it would only cost bandwidth.
        torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = filled
