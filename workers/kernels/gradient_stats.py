"""One pass over a gradient: sum of squares, largest magnitude, how many entries are not finite.

Each program reduces a few blocks to one row of partial results, which torch then sums: no atomics, so the result
is the same every time. Sum and maximum leave out entries that are not finite, which are counted instead.

Shapes: N elements of the flat gradient, P programs, or tensors.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 4096
MAX_PROGRAMS = 1024


class GradientStats(NamedTuple):
    """Figures of a gradient."""

    sum_of_squares: float
    max_abs: float
    num_nonfinite: int

    @property
    def norm(self) -> float:
        """L2 norm; NaN as soon as one entry is not finite."""
        return self.sum_of_squares**0.5 if not self.num_nonfinite else float("nan")


@triton.jit
def reduce_blocks(x_N, partial_3P, num_elements, num_programs, BLOCK: tl.constexpr):
    """Partial sum of squares, maximum and count of one program's blocks.  (N,) -> column of (3, P) fp32"""
    program = tl.program_id(0)
    total = tl.zeros([BLOCK], dtype=tl.float32)
    largest = tl.zeros([BLOCK], dtype=tl.float32)
    strange = tl.zeros([BLOCK], dtype=tl.float32)
    start = program.to(tl.int64) * BLOCK
    while start < num_elements:
        offsets = start + tl.arange(0, BLOCK)
        x = tl.load(x_N + offsets, mask=offsets < num_elements, other=0.0).to(tl.float32)
        magnitude = tl.abs(x)
        finite = magnitude < float("inf")  # false for NaN as well
        magnitude = tl.where(finite, magnitude, 0.0)
        total += magnitude * magnitude
        largest = tl.maximum(largest, magnitude)
        strange += tl.where(finite, 0.0, 1.0)
        start += num_programs.to(tl.int64) * BLOCK
    tl.store(partial_3P + program, tl.sum(total, axis=0))
    tl.store(partial_3P + num_programs + program, tl.max(largest, axis=0))
    tl.store(partial_3P + 2 * num_programs + program, tl.sum(strange, axis=0))


def measure_flat(x_N: Tensor) -> Tensor:
    """Statistics of one flat tensor by the Triton kernel, left on its device.  (N,) -> (3,) fp64"""
    num_programs = max(min(triton.cdiv(x_N.numel(), BLOCK), MAX_PROGRAMS), 1)
    partial_3P = torch.empty(3, num_programs, dtype=torch.float32, device=x_N.device)
    reduce_blocks[(num_programs,)](x_N, partial_3P, x_N.numel(), num_programs, BLOCK=BLOCK)
    wide = partial_3P.double()
    return torch.stack((wide[0].sum(), wide[1].max(), wide[2].sum()))


def measure_flat_reference(x_N: Tensor) -> Tensor:
    """The same in plain PyTorch, in the tensor's own precision.  (N,) -> (3,) fp64"""
    if not x_N.numel():
        return torch.zeros(3, dtype=torch.float64, device=x_N.device)
    norm, largest = torch.linalg.vector_norm(x_N), torch.linalg.vector_norm(x_N, float("inf"))
    if bool(torch.isfinite(norm)):
        return torch.stack((norm.double() ** 2, largest.double(), torch.zeros_like(largest, dtype=torch.float64)))
    finite = torch.isfinite(x_N)
    kept = torch.where(finite, x_N, 0).double()
    return torch.stack((kept.square().sum(), kept.abs().max(), (~finite).sum().double()))


def measure_norms(tensors: Sequence[Tensor]) -> Tensor:
    """L2 norm of each tensor; NaN where an entry is not finite. Nothing is synchronised on CUDA.  -> (P,) fp64"""
    if tensors[0].is_cuda:
        rows_P3 = torch.stack([measure_flat(tensor.detach().reshape(-1)) for tensor in tensors])
        return torch.where(rows_P3[:, 2] > 0, torch.nan, rows_P3[:, 0].sqrt())
    norms_P = torch.stack(torch._foreach_norm([tensor.detach() for tensor in tensors])).double()
    if bool(torch.isfinite(norms_P).all()):
        return norms_P
    # An overflow of fp32 is no infinite entry: look again in fp64.
    return torch.stack([torch.linalg.vector_norm(t.detach(), dtype=torch.float64) for t in tensors]).nan_to_num(
        nan=torch.nan, posinf=torch.nan
    )


def measure_gradient(grads: Sequence[Tensor]) -> GradientStats:
    """Statistics over all of `grads` together: the kernel on CUDA, the reference elsewhere. One synchronisation."""
    measure = measure_flat if grads[0].is_cuda else measure_flat_reference
    rows = torch.stack([measure(grad.detach().reshape(-1)) for grad in grads])
    total, largest, strange = torch.stack((rows[:, 0].sum(), rows[:, 1].max(), rows[:, 2].sum())).tolist()
    return GradientStats(total, largest, int(strange))
