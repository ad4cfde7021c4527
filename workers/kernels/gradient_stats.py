"""One pass over all gradients: for each its sum of squares, largest magnitude, and how many entries are not finite.

A table of addresses lets one launch read tensors of any number and size; each program reduces a few blocks of one of
them, a second launch adds up what belongs together. No atomics, so the result is the same every time. Sum and maximum
leave out entries that are not finite, which are counted instead.

Shapes: N elements of a flat tensor, P tensors, J jobs (pieces of tensors).
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 4096
MAX_BLOCKS = 16
"""Of one job."""
_TYPES = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}


@triton.jit
def reduce_pieces(
    addresses_P, sizes_P, owners_J, firsts_J, partial_3J, num_jobs, TYPE: tl.constexpr, BLOCK: tl.constexpr,
    MAX_BLOCKS: tl.constexpr,
):  # fmt: skip
    """Sum of squares, maximum and count of one job's blocks.  -> column of (3, J) fp32"""
    job = tl.program_id(0)
    owner = tl.load(owners_J + job)
    x_N = tl.load(addresses_P + owner).to(tl.pointer_type(TYPE))
    num_elements = tl.load(sizes_P + owner)
    start = tl.load(firsts_J + job)
    total = tl.zeros([BLOCK], dtype=tl.float32)
    largest = tl.zeros([BLOCK], dtype=tl.float32)
    strange = tl.zeros([BLOCK], dtype=tl.float32)
    for number in range(0, MAX_BLOCKS):
        offsets = start + number * BLOCK + tl.arange(0, BLOCK)
        x = tl.load(x_N + offsets, mask=offsets < num_elements, other=0.0).to(tl.float32)
        magnitude = tl.abs(x)
        finite = magnitude < float("inf")  # false for NaN as well
        magnitude = tl.where(finite, magnitude, 0.0)
        total += magnitude * magnitude
        largest = tl.maximum(largest, magnitude)
        strange += tl.where(finite, 0.0, 1.0)
    tl.store(partial_3J + job, tl.sum(total, axis=0))
    tl.store(partial_3J + num_jobs + job, tl.max(largest, axis=0))
    tl.store(partial_3J + 2 * num_jobs + job, tl.sum(strange, axis=0))


@triton.jit
def add_pieces(partial_3J, ends_P, result_P3, num_jobs, BLOCK: tl.constexpr):
    """The figures of one tensor from those of its jobs, which lie side by side.  (3, J) -> row of (P, 3) fp64"""
    owner = tl.program_id(0)
    begin = tl.load(ends_P + owner - 1, mask=owner > 0, other=0)
    end = tl.load(ends_P + owner)
    total = tl.zeros([BLOCK], dtype=tl.float64)
    largest = tl.zeros([BLOCK], dtype=tl.float64)
    strange = tl.zeros([BLOCK], dtype=tl.float64)
    for start in range(begin, end, BLOCK):
        jobs = start + tl.arange(0, BLOCK)
        inside = jobs < end
        total += tl.load(partial_3J + jobs, mask=inside, other=0.0).to(tl.float64)
        largest = tl.maximum(largest, tl.load(partial_3J + num_jobs + jobs, mask=inside, other=0.0).to(tl.float64))
        strange += tl.load(partial_3J + 2 * num_jobs + jobs, mask=inside, other=0.0).to(tl.float64)
    tl.store(result_P3 + owner * 3, tl.sum(total, axis=0))
    tl.store(result_P3 + owner * 3 + 1, tl.max(largest, axis=0))
    tl.store(result_P3 + owner * 3 + 2, tl.sum(strange, axis=0))


def measure_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """Statistics of each tensor by the Triton kernels, left on their device: nothing waits.  -> (P, 3) fp64

    Two launches, where all are of one type. Raises ValueError for types that are no floats of 16 or 32 bits.
    """
    device = tensors[0].device
    result_P3 = torch.empty(len(tensors), 3, dtype=torch.float64, device=device)
    by_type: dict[torch.dtype, list[int]] = {}
    for number, tensor in enumerate(tensors):
        by_type.setdefault(tensor.dtype, []).append(number)
    for dtype, numbers in by_type.items():
        if dtype not in _TYPES:
            raise ValueError(f"gradients of type {dtype} cannot be measured: they must be fp32, bf16 or fp16")
        flat = [tensors[number].detach().contiguous() for number in numbers]  # held until the kernels are queued
        rows = _measure_one_type(flat, _TYPES[dtype])
        result_P3 = rows if len(by_type) == 1 else result_P3.index_copy(0, torch.tensor(numbers, device=device), rows)
    return result_P3


def _measure_one_type(tensors: Sequence[Tensor], dtype: tl.dtype) -> Tensor:
    sizes_P = torch.tensor([tensor.numel() for tensor in tensors])
    num_jobs_P = (sizes_P + MAX_BLOCKS * BLOCK - 1) // (MAX_BLOCKS * BLOCK)
    ends_P = num_jobs_P.cumsum(0)
    num_jobs = int(ends_P[-1])
    owners_J = torch.repeat_interleave(num_jobs_P)
    firsts_J = (torch.arange(num_jobs) - (ends_P - num_jobs_P)[owners_J]) * (MAX_BLOCKS * BLOCK)
    addresses_P = torch.tensor([tensor.data_ptr() for tensor in tensors])
    device = tensors[0].device
    tables = (table.to(device, non_blocking=True) for table in (addresses_P, sizes_P, owners_J, firsts_J, ends_P))
    addresses_P, sizes_P, owners_J, firsts_J, ends_P = tables
    partial_3J = torch.empty(3, num_jobs, dtype=torch.float32, device=device)
    result_P3 = torch.empty(len(tensors), 3, dtype=torch.float64, device=device)
    if num_jobs:
        reduce_pieces[(num_jobs,)](
            addresses_P, sizes_P, owners_J, firsts_J, partial_3J, num_jobs, TYPE=dtype, BLOCK=BLOCK,
            MAX_BLOCKS=MAX_BLOCKS,
        )  # fmt: skip
    add_pieces[(len(tensors),)](partial_3J, ends_P, result_P3, num_jobs, BLOCK=256)
    return result_P3


def measure_tensors_reference(tensors: Sequence[Tensor]) -> Tensor:
    """The same in plain PyTorch.  -> (P, 3) fp64"""
    rows = []
    for tensor in tensors:
        x_N = tensor.detach().flatten().double()
        finite = torch.isfinite(x_N)
        kept = torch.where(finite, x_N, 0)
        largest = kept.abs().max() if kept.numel() else kept.new_zeros(())
        rows.append(torch.stack((kept.square().sum(), largest, (~finite).sum().double())))
    return torch.stack(rows)


def measure_norms(tensors: Sequence[Tensor]) -> Tensor:
    """L2 norm of each tensor; NaN where an entry is not finite. Nothing is synchronised on CUDA.  -> (P,) fp64"""
    if tensors[0].is_cuda:
        rows_P3 = measure_tensors(tensors)
        return torch.where(rows_P3[:, 2] > 0, torch.nan, rows_P3[:, 0].sqrt())
    norms_P = torch.stack(torch._foreach_norm([tensor.detach() for tensor in tensors])).double()
    if bool(torch.isfinite(norms_P).all()):
        return norms_P
    # An overflow of fp32 is no infinite entry: look again in fp64.
    return torch.stack([torch.linalg.vector_norm(t.detach(), dtype=torch.float64) for t in tensors]).nan_to_num(
        nan=torch.nan, posinf=torch.nan
    )
