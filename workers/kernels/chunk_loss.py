"""Loss and gradient of a chunk of logits in two passes over them: cross-entropy with z-loss, and KL from a teacher.

The gradient is written over the logits. Plain PyTorch reads and writes a chunk some ten times for the same.
z-loss: arXiv 2204.02311. Distillation at temperature tau, scaled by tau^2: arXiv 1503.02531.

Shapes: n places, V vocabulary.
"""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

BLOCK = 2048


class ChunkLoss(NamedTuple):
    """By place, fp32; 0 where a place does not count."""

    cross_entropy_n: Tensor
    z_n: Tensor
    """z_weight times the squared log of the softmax's sum."""
    kl_n: Tensor
    """KL(teacher || student) at the temperature, without any weight."""


@triton.jit
def reduce_row(  # noqa: PLR0915  two passes over a row, in one kernel
    logits_nV, teacher_nV, targets_n, kl_weights_n, losses_3n, num_places, num_tokens, ignored, z_weight, temperature,
    HAS_TARGETS: tl.constexpr, HAS_TEACHER: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One place: its losses, and the gradient over its logits.  (n, V), (n, V), (n,), (n,) -> (3, n)"""
    place = tl.program_id(0).to(tl.int64)
    row = logits_nV + place * num_tokens
    teacher_row = teacher_nV + place * num_tokens
    top, total = float("-inf"), 0.0  # of the student at temperature 1
    soft_top, soft_total = float("-inf"), 0.0  # of the student at tau
    taught_top, taught_total, gap = float("-inf"), 0.0, 0.0  # of the teacher at tau; sum of p (teacher - student) / tau
    for start in range(0, num_tokens, BLOCK):
        tokens = start + tl.arange(0, BLOCK)
        inside = tokens < num_tokens
        s = tl.load(row + tokens, mask=inside, other=float("-inf")).to(tl.float32)
        if HAS_TARGETS:
            new_top = tl.maximum(top, tl.max(s, axis=0))
            total = total * tl.exp(top - new_top) + tl.sum(tl.exp(s - new_top), axis=0)
            top = new_top
        if HAS_TEACHER:
            u = s / temperature
            new_top = tl.maximum(soft_top, tl.max(u, axis=0))
            soft_total = soft_total * tl.exp(soft_top - new_top) + tl.sum(tl.exp(u - new_top), axis=0)
            soft_top = new_top
            t = tl.load(teacher_row + tokens, mask=inside, other=float("-inf")).to(tl.float32) / temperature
            new_top = tl.maximum(taught_top, tl.max(t, axis=0))
            p = tl.exp(t - new_top)
            shrink = tl.exp(taught_top - new_top)
            taught_total = taught_total * shrink + tl.sum(p, axis=0)
            gap = gap * shrink + tl.sum(tl.where(p > 0, p * (t - u), 0.0), axis=0)
            taught_top = new_top
    counts = True
    target = -1
    lse = 0.0
    if HAS_TARGETS:
        target = tl.load(targets_n + place)
        counts = target != ignored
        lse = top + tl.log(total)
        chosen = tl.load(row + tl.where(counts, target, 0)).to(tl.float32)
        tl.store(losses_3n + place, tl.where(counts, lse - chosen, 0.0))
        tl.store(losses_3n + num_places + place, tl.where(counts, z_weight * lse * lse, 0.0))
    soft_lse, taught_lse, weight = 0.0, 0.0, 0.0
    if HAS_TEACHER:
        soft_lse = soft_top + tl.log(soft_total)
        taught_lse = taught_top + tl.log(taught_total)
        weight = tl.load(kl_weights_n + place)
        tl.store(losses_3n + 2 * num_places + place, gap / taught_total - taught_lse + soft_lse)
    for start in range(0, num_tokens, BLOCK):
        tokens = start + tl.arange(0, BLOCK)
        inside = tokens < num_tokens
        s = tl.load(row + tokens, mask=inside, other=0.0).to(tl.float32)
        grad = tl.zeros([BLOCK], dtype=tl.float32)
        if HAS_TARGETS:
            grad += tl.exp(s - lse) * (1 + 2 * z_weight * lse) - tl.where(tokens == target, 1.0, 0.0)
            grad = tl.where(counts, grad, 0.0)
        if HAS_TEACHER:
            t = tl.load(teacher_row + tokens, mask=inside, other=float("-inf")).to(tl.float32) / temperature
            grad += weight * temperature * (tl.exp(s / temperature - soft_lse) - tl.exp(t - taught_lse))
        tl.store(row + tokens, grad.to(logits_nV.dtype.element_ty), mask=inside)


@torch.library.custom_op("headrace::chunk_loss", mutates_args={"logits_nV"})
def _reduce(
    logits_nV: Tensor,
    targets_n: Tensor | None,
    ignored: int,
    z_weight: float,
    teacher_nV: Tensor | None,
    kl_weights_n: Tensor | None,
    temperature: float,
) -> Tensor:
    n, V = logits_nV.shape
    losses_3n = torch.zeros(3, n, dtype=torch.float32, device=logits_nV.device)
    teacher = logits_nV if teacher_nV is None else teacher_nV.contiguous()
    targets = (
        torch.empty(0, dtype=torch.int64, device=logits_nV.device) if targets_n is None else targets_n.contiguous()
    )
    weights = losses_3n if kl_weights_n is None else kl_weights_n.float().contiguous()
    reduce_row[(n,)](
        logits_nV, teacher, targets, weights, losses_3n, n, V, ignored, z_weight, temperature,
        HAS_TARGETS=targets_n is not None, HAS_TEACHER=teacher_nV is not None, BLOCK=BLOCK,
    )  # fmt: skip
    return losses_3n


@_reduce.register_fake
def _(logits_nV: Tensor, *others: object) -> Tensor:
    return logits_nV.new_empty(3, len(logits_nV), dtype=torch.float32)


def reduce_rows(
    logits_nV: Tensor,
    targets_n: Tensor | None = None,
    ignored: int = -100,
    z_weight: float = 0.0,
    teacher_nV: Tensor | None = None,
    kl_weights_n: Tensor | None = None,
    temperature: float = 1.0,
) -> ChunkLoss:
    """Losses by the Triton kernel. `logits_nV` (contiguous) then holds the gradient of
    sum(cross_entropy + z) + tau^2 sum(kl_weights kl), without a term whose inputs are None.  (n, V) -> 3 x (n,)
    """
    if not logits_nV.is_contiguous():
        raise ValueError("the gradient is written over the logits: they must be contiguous")
    losses_3n = _reduce(logits_nV, targets_n, ignored, z_weight, teacher_nV, kl_weights_n, temperature)
    return ChunkLoss(*losses_3n.unbind())


def reduce_rows_reference(
    logits_nV: Tensor,
    targets_n: Tensor | None = None,
    ignored: int = -100,
    z_weight: float = 0.0,
    teacher_nV: Tensor | None = None,
    kl_weights_n: Tensor | None = None,
    temperature: float = 1.0,
) -> tuple[ChunkLoss, Tensor]:
    """The same by autograd, in the type of the logits; the gradient is returned."""
    logits_nV = logits_nV.detach().requires_grad_()
    zero_n = logits_nV.new_zeros(len(logits_nV))
    entropy_n, z_n, kl_n = zero_n, zero_n, zero_n
    if targets_n is not None:
        entropy_n = functional.cross_entropy(logits_nV, targets_n, ignore_index=ignored, reduction="none")
        z_n = torch.where(targets_n != ignored, z_weight * logits_nV.logsumexp(-1).square(), 0.0)
    if teacher_nV is not None:
        log_q_nV = functional.log_softmax(logits_nV / temperature, dim=-1)
        log_p_nV = functional.log_softmax(teacher_nV / temperature, dim=-1)
        kl_n = functional.kl_div(log_q_nV, log_p_nV, reduction="none", log_target=True).sum(-1)
    weights_n = zero_n if kl_weights_n is None else kl_weights_n
    total = (entropy_n + z_n).sum() + temperature**2 * (weights_n * kl_n).sum()
    (grad_nV,) = torch.autograd.grad(total, logits_nV)
    return ChunkLoss(entropy_n.detach(), z_n.detach(), kl_n.detach()), grad_nV
